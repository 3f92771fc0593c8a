"""Carts on the way into another store: exported, imported, brought over from E-Cart 1.0.

Nothing here prints. What cannot be taken is told and left where it is; the rest goes on.
"""

from ecart_server.transfer.exporting import ExportReport, export_carts
from ecart_server.transfer.files import whole_file
from ecart_server.transfer.format import (
    FORMAT,
    CartLine,
    ExportedCart,
    LockLine,
    MergeLine,
    RecordLine,
)
from ecart_server.transfer.importing import Importer, ImportReport, lines_of
from ecart_server.transfer.migration import Migration, MigrationReport, Wishes
from ecart_server.transfer.problems import Problem, Problems
from ecart_server.transfer.writer import Placer, Policy

__all__ = [
    "FORMAT",
    "CartLine",
    "ExportReport",
    "ExportedCart",
    "ImportReport",
    "Importer",
    "LockLine",
    "MergeLine",
    "Migration",
    "MigrationReport",
    "Placer",
    "Policy",
    "Problem",
    "Problems",
    "RecordLine",
    "Wishes",
    "export_carts",
    "lines_of",
    "whole_file",
]
