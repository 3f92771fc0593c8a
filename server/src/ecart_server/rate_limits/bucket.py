"""A token bucket, stored as one number (the generic cell rate algorithm, GCRA). It has no clock.

The idea of a token bucket: it holds at most `count` tokens, and a new token drops in once per
`interval`, until it is full. A request takes one token. If there is none, it is refused, and may
try again when the next one drops in. So a client may send a burst of `count` requests, and in the
long run `count` per `seconds`.

Counting tokens would need two numbers, the tokens and the time of the last refill. GCRA needs one:
`full_at`, the time at which the bucket will be full again if no token is taken before. With
`room = count * interval`, the time that an empty bucket takes to fill:

- the bucket is full if `full_at <= now`, and then counts as `full_at == now`;
- it lacks `(full_at - now) / interval` tokens, rounded up, so there is one left for the request if
  `full_at + interval - now <= room`;
- taking it moves `full_at` later by one interval; refusing changes nothing.

A bucket that was never used, or was forgotten, is `full_at == 0`: a full one. So old buckets may be
forgotten (`buckets.py`). ITU-T I.371, which has the algorithm for ATM cells, calls `full_at` the
theoretical arrival time, and `room` less one interval the burst tolerance.

All times are nanoseconds on one monotonic clock, as integers, so nothing is rounded twice.
"""

from __future__ import annotations

import re

import msgspec

SECOND = 1_000_000_000

_RATE = re.compile(r"(\d{1,7})/(\d{1,5})", re.ASCII)


class Rate(msgspec.Struct, frozen=True):
    """`count` requests in each `seconds`, and as many in one burst."""

    count: int
    seconds: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds < 1:
            raise ValueError("a rate is a count and seconds, 1 or more")

    @property
    def interval(self) -> int:
        """Nanoseconds between two tokens; rounded up, so that there are never more than allowed."""
        return -(-self.seconds * SECOND // self.count)


class Decision(msgspec.Struct, frozen=True):
    """Whether a token was granted, and the bucket after that.

    `left` is tokens, `wait` nanoseconds until there is one (0 if granted), `full_in` nanoseconds
    until the bucket is full.
    """

    is_granted: bool
    left: int
    wait: int
    full_in: int


def take(rate: Rate, full_at: int, now: int) -> tuple[int, Decision]:
    """Takes a token if there is one. Returns the new `full_at`, and the decision."""
    interval = rate.interval
    room = rate.count * interval
    after = max(full_at, now) + interval
    if after - now > room:
        return full_at, Decision(False, 0, after - now - room, full_at - now)
    return after, Decision(True, (room - (after - now)) // interval, 0, after - now)


def parse_rate(text: str) -> Rate | None:
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
