"""Security faults of engines that are known, and the releases that mend them.

Only what a release note, a distribution's tracker or the projects themselves say is listed; a
release line that is not named is not judged. New entries go to the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

AS_OF = "2026-11-22"
"""When the table was last gone through."""

ENGINES = ("redis", "valkey")

Version = tuple[int, int, int]


class Advisory(msgspec.Struct, frozen=True):
    """`fixed`: for each engine and release line, the first release without the fault.

    None: the line was given up with the fault in it.
    """

    ids: tuple[str, ...]
    fault: str
    fixed: dict[str, dict[tuple[int, int], int | None]]


ADVISORIES = (
    Advisory(
        ("CVE-2024-31449",),
        "a Lua script can overflow the stack",
        {
            "redis": {(6, 2): 16, (7, 0): None, (7, 2): 6, (7, 4): 1},
            "valkey": {(7, 2): 7},
        },
    ),
    Advisory(
        ("CVE-2024-46981",),
        "a Lua script can run code in the engine",
        {
            "redis": {(6, 2): 17, (7, 0): None, (7, 2): 7, (7, 4): 2},
            "valkey": {(7, 2): 8},
        },
    ),
    Advisory(
        ("CVE-2025-21605",),
        "a client without a password can fill the memory",
        {
            "redis": {(6, 2): 18, (7, 0): None, (7, 2): 8, (7, 4): 3},
            "valkey": {(7, 2): 9},
        },
    ),
    Advisory(
        ("CVE-2025-32023",),
        "HyperLogLog commands can write out of bounds",
        {"redis": {(6, 2): 19, (7, 0): None, (7, 2): 10, (7, 4): 5, (8, 0): 3}},
    ),
    Advisory(
        ("CVE-2025-49844", "CVE-2025-46817", "CVE-2025-46818", "CVE-2025-46819"),
        "a Lua script can run code in the engine (RediShell)",
        {
            "redis": {(6, 2): 20, (7, 0): None, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
            "valkey": {(7, 2): 11, (8, 1): 4},
        },
    ),
    Advisory(
        ("CVE-2026-21863",),
        "a packet of the cluster bus can crash the engine",
        {"valkey": {(7, 2): 12, (8, 0): 7, (8, 1): 6, (9, 0): 2}},
    ),
    Advisory(
        ("CVE-2026-23479", "CVE-2026-25243", "CVE-2026-23631"),
        "memory is used after it was freed, also by a Lua script during a full sync",
        {"redis": {(8, 6): 3}, "valkey": {(8, 0): 8, (8, 1): 7, (9, 0): 4}},
    ),
    Advisory(
        ("CVE-2026-56684", "CVE-2026-63639"),
        "a client or a corrupt file can run code in the engine",
        {"valkey": {(8, 0): 10, (9, 0): 5, (9, 1): 1}},
    ),
    Advisory(
        ("Redis security release of 24 July 2026",),
        "a client can run code in the engine",
        {
            "redis": {
                (6, 2): 23,
                (7, 0): None,
                (7, 2): 15,
                (7, 4): 10,
                (8, 2): 8,
                (8, 4): 5,
                (8, 6): 5,
                (8, 8): 1,
            }
        },
    ),
)


def known_faults(kind: str, version: Version) -> Iterator[tuple[Advisory, Version | None]]:
    """The advisories that hold for an engine, each with the release that mends it, if any."""
    line = version[:2]
    for advisory in ADVISORIES:
        lines = advisory.fixed.get(kind, {})
        if line not in lines:
            continue
        patch = lines[line]
        if patch is None:
            yield advisory, None
        elif version[2] < patch:
            yield advisory, (*line, patch)
