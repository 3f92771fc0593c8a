"""The token buckets of one limit, by key. The least recently used are forgotten when it is full."""

from __future__ import annotations

from collections import OrderedDict

from ecart_server.rate_limits.bucket import Decision, Rate, take

MAX_BUCKETS = 32_768
"""Of one limit, in one process: a few megabytes, however many clients come."""


class Buckets:
    """Token buckets with one rate. A bucket that is not stored is a full one."""

    def __init__(self, name: str, rate: Rate, limit: int = MAX_BUCKETS) -> None:
        self.name = name
        self.rate = rate
        self._limit = limit
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def peek(self, key: str, now: int) -> tuple[int, Decision]:
        """What `take` would give for the bucket of this key, without changing it."""
        return take(self.rate, self._full_at.get(key, 0), now)

    def put(self, key: str, full_at: int) -> None:
        """Stores a bucket; `full_at` is the one that `peek` gave."""
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._limit:
            self._full_at.popitem(last=False)
