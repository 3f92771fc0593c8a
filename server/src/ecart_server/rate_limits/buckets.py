"""The buckets of one limit: as many as there is room for, those used last."""

from __future__ import annotations

from collections import OrderedDict

from ecart_server.rate_limits.bucket import Rate, Verdict, take

MOST = 32_768
"""Buckets that one limit keeps, in one process: some megabytes, whoever comes."""


class Buckets:
    """By key, those that were taken from last. A forgotten bucket is a full one."""

    def __init__(self, name: str, rate: Rate, most: int = MOST) -> None:
        self.name = name
        self.rate = rate
        self._most = most
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def ask(self, key: str, now: int) -> tuple[int, Verdict]:
        """What taking a token would come to; nothing is kept of it."""
        return take(self.rate, self._full_at.get(key, 0), now)

    def keep(self, key: str, full_at: int) -> None:
        """Keeps a bucket as `ask` has told that it would be."""
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
