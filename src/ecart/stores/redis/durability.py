"""Durability: whether a change is done on the primary, on replicas too, or on disk.

`WAIT` and `WAITAOF` confirm what was written over the same connection, so they are sent with the
change in one packet. A recognised retry writes its cart's version again, unchanged, so that the
confirmation covers it as well.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

Mode = Literal["primary", "replicated", "fsync"]

LONGEST_WAIT = 1.5
"""Seconds that one confirmation may take: below the time that a reply may, and above the second
between two syncs of `appendfsync everysec`.
"""


class Durability(msgspec.Struct, frozen=True):
    """`replicated`: `replicas` hold the change. `fsync`: the primary's disk does, and theirs."""

    mode: Mode
    replicas: int

    def command(self, seconds_left: float) -> tuple[str | int, ...]:
        """The command that waits for the confirmation."""
        milliseconds = max(1, round(1000 * min(seconds_left, LONGEST_WAIT)))
        if self.mode == "fsync":
            return ("WAITAOF", 1, self.replicas, milliseconds)
        return ("WAIT", self.replicas, milliseconds)

    def shortfall(self, reply: Any) -> str | None:
        """Why the confirmation is not sufficient; None if it is."""
        if isinstance(reply, Exception):
            return f"it was not confirmed: {reply}"
        local, replicas = reply if self.mode == "fsync" else (1, reply)
        if local < 1:
            return "it is not on the primary's disk"
        if replicas < self.replicas:
            return f"{replicas} of {self.replicas} replicas have it"
        return None


def durability_of(mode: Mode, replicas: int | None) -> Durability | None:
    """The durability of a store; None where the reply of the primary is enough.

    Raises:
        ValueError: no such mode, or a number of replicas that it cannot wait for.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"durability is one of {', '.join(get_args(Mode))}")
    if mode == "primary":
        if replicas is not None:
            raise ValueError("replicas goes with durability='replicated' or 'fsync'")
        return None
    least = 1 if mode == "replicated" else 0
    count = least if replicas is None else replicas
    if type(count) is not int or count < least:
        raise ValueError(f"with durability={mode!r}, replicas is {least} or more")
    return Durability(mode, count)
