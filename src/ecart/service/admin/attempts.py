"""How often a wrong key may be shown: a token bucket for each address, and one for all together.

Only wrong keys cost a token. But who has none left is refused with any key, or the refusal would
tell which one is right. Each worker process counts for itself.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

_EACH = (5.0, 12.0)
_TOGETHER = (100.0, 1.0)
"""Attempts at once, and the seconds after which there is one more."""

MOST_ADDRESSES = 10_000


class Attempts:
    """The attempts of the last minutes. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._together = _Bucket(*_TOGETHER, clock())
        self._of: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, address: str) -> int:
        """Seconds until this address may try again; 0: now."""
        now = self._clock()
        buckets = [self._together, self._of.get(_group(address))]
        return max(math.ceil(bucket.wait(now)) for bucket in buckets if bucket is not None)

    def failed(self, address: str) -> None:
        """It showed a wrong key."""
        now, group = self._clock(), _group(address)
        bucket = self._of.setdefault(group, _Bucket(*_EACH, now))
        self._of.move_to_end(group)
        if len(self._of) > MOST_ADDRESSES:
            self._of.popitem(last=False)
        bucket.take(now)
        self._together.take(now)


class _Bucket:
    def __init__(self, size: float, seconds: float, now: float) -> None:
        self._size, self._seconds = size, seconds
        self._left, self._at = size, now

    def wait(self, now: float) -> float:
        """Seconds until there is a whole token."""
        return max(0.0, (1 - self._filled(now)) * self._seconds)

    def take(self, now: float) -> None:
        """One less, if there is one."""
        self._left, self._at = max(0.0, self._filled(now) - 1), now

    def _filled(self, now: float) -> float:
        return min(self._size, self._left + (now - self._at) / self._seconds)


def _group(address: str) -> str:
    """Addresses that one person has: of IPv6 a whole network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
