"""The look at an engine and the carts in it: what is wrong, what it means, what to do.

It reads, and writes only what is certain, only when told to repair. Nothing here prints.
"""

from ecart_server.doctor.examination import examine
from ecart_server.doctor.findings import (
    KINDS,
    SEVERITIES,
    Carts,
    Engine,
    Example,
    Finding,
    Kind,
    Repair,
    Report,
    Severity,
)

__all__ = [
    "KINDS",
    "SEVERITIES",
    "Carts",
    "Engine",
    "Example",
    "Finding",
    "Kind",
    "Repair",
    "Report",
    "Severity",
    "examine",
]
