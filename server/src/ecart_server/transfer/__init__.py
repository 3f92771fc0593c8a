"""Moves carts between stores: export, import, and migration from E-Cart 1.0.

A cart that cannot be moved is reported and stays where it is; the others are moved. Nothing here
prints: problems and progress go to callbacks, totals into a report.
"""

from ecart_server.transfer.exporting import ExportReport, export_carts
from ecart_server.transfer.files import atomic_file
from ecart_server.transfer.format import (
    FORMAT,
    CartLine,
    ExportedCart,
    LockLine,
    MergeLine,
    RecordLine,
)
from ecart_server.transfer.importing import Importer, ImportReport, read_lines
from ecart_server.transfer.migration import Migration, MigrationOptions, MigrationReport
from ecart_server.transfer.problems import ProblemSummary, TransferProblem
from ecart_server.transfer.writer import CartWriter, PendingCart, Policy

__all__ = [
    "FORMAT",
    "CartLine",
    "CartWriter",
    "ExportReport",
    "ExportedCart",
    "ImportReport",
    "Importer",
    "LockLine",
    "MergeLine",
    "Migration",
    "MigrationOptions",
    "MigrationReport",
    "PendingCart",
    "Policy",
    "ProblemSummary",
    "RecordLine",
    "TransferProblem",
    "atomic_file",
    "export_carts",
    "read_lines",
]
