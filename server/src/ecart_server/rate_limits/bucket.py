"""A token bucket as one number: when it will be full again. Nothing here has a clock.

A full bucket holds `count` tokens; each comes back after the same interval. (The form is that of
the generic cell rate algorithm, so that an absent bucket is a full one.) Times are nanoseconds.
"""

from __future__ import annotations

import re

import msgspec

SECOND = 1_000_000_000

_RATE = re.compile(r"(\d{1,7})/(\d{1,5})", re.ASCII)


class Rate(msgspec.Struct, frozen=True):
    """`count` in each `seconds`, and as many at once."""

    count: int
    seconds: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds < 1:
            raise ValueError("a rate is a count and seconds, 1 or more")

    @property
    def interval(self) -> int:
        """After which a token comes back; rounded up, so that there are never more."""
        return -(-self.seconds * SECOND // self.count)


class Verdict(msgspec.Struct, frozen=True):
    """What came of taking a token: how many are left, when one is there again, and when all."""

    is_granted: bool
    left: int
    wait: int
    full_in: int


def take(rate: Rate, full_at: int, now: int) -> tuple[int, Verdict]:
    """Takes a token if there is one: the bucket after that, and the verdict."""
    interval = rate.interval
    room = rate.count * interval
    after = max(full_at, now) + interval
    if after - now > room:
        return full_at, Verdict(False, 0, after - now - room, full_at - now)
    return after, Verdict(True, (room - (after - now)) // interval, 0, after - now)


def rate_of(text: str) -> Rate | None:
    """The rate in a text such as `120/60`; None for `0`, which is no limit.

    Raises:
        ValueError: it is neither.
    """
    if text.strip() == "0":
        return None
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError("a rate is COUNT/SECONDS, such as 120/60, or 0 for none")
    return Rate(int(match[1]), int(match[2]))
