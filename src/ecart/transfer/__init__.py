"""Carts on the way into another store: exported, imported, brought over from E-Cart 1.0.

Nothing here prints. What cannot be taken is told and left where it is; the rest goes on.
"""

from ecart.transfer.exporting import ExportReport, export_carts
from ecart.transfer.files import whole_file
from ecart.transfer.format import FORMAT, CartLine, ExportedCart, LockLine, MergeLine, RecordLine
from ecart.transfer.importing import Importer, ImportReport, lines_of
from ecart.transfer.migration import Migration, MigrationReport, Wishes
from ecart.transfer.placing import Placer, Policy
from ecart.transfer.problems import Problem, Problems

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
