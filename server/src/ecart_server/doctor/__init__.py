"""Checks an engine and the carts in it: what is wrong, what that means, and what to do.

It only reads, unless `repair` is set, and then repairs only what is certain. Nothing here prints.
"""

from ecart_server.doctor.examination import examine
from ecart_server.doctor.findings import (
    KINDS,
    SEVERITIES,
    CartTotals,
    Engine,
    Example,
    Finding,
    FindingKind,
    Repair,
    Report,
    Severity,
)

__all__ = [
    "KINDS",
    "SEVERITIES",
    "CartTotals",
    "Engine",
    "Example",
    "Finding",
    "FindingKind",
    "Repair",
    "Report",
    "Severity",
    "examine",
]
