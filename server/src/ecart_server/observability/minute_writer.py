"""Writes what this worker counted per minute into the engine, for the operators' overview.

The counters are those of `/metrics`: they only grow. What a minute counted is by how much they grew
in it. So they are read every two seconds and at the end of each minute, and the growth since the
last reading is added to the minute of that reading.

While the engine is away, minutes wait here for as long as the engine would store them. A worker
that is killed loses its last two seconds: this is a statistic, not a promise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from ecart.operations import new_token
from ecart.stores.redis import AsyncRedisStore
from ecart_server.observability.minutes import KEPT_MINUTES, Counts, minute_now, put_counts

_log = logging.getLogger("ecart.minutes")

WRITE_SECONDS = 2.0
LAST_SECONDS = 1.0
"""How long the last write may take when the worker ends."""


class MinuteWriter:
    """Keeps the counts of the last minutes and writes those that have changed.

    `read` gives the counters' values, which may begin anywhere: a worker that replaces another one
    continues with its numbers.
    """

    def __init__(self, read: Callable[[], Counts], clock: Callable[[], int] = minute_now) -> None:
        self._worker = new_token()
        self._read_counters = read
        self._clock = clock
        self._last, self._minute = read(), clock()
        self._counts: dict[int, Counts] = {}
        self._written: dict[int, Counts] = {}

    def collect(self) -> None:
        """Adds what was counted since the last call to the minute of the last call."""
        last, minute = self._last, self._minute
        self._last, self._minute = self._read_counters(), self._clock()
        if self._last != last:
            self._counts[minute] = self._counts.get(minute, Counts()) + self._last - last
        oldest = self._minute - KEPT_MINUTES
        for minute in [minute for minute in self._counts if minute < oldest]:
            del self._counts[minute]
            self._written.pop(minute, None)

    async def write(self, store: AsyncRedisStore) -> None:
        """Writes the minutes that have changed since they were written; failures wait."""
        self.collect()
        changed = self._counts.items() - self._written.items()
        failed = await asyncio.gather(
            *(self._put(store, minute, counts) for minute, counts in changed),
            return_exceptions=True,
        )
        for error in filter(None, failed):  # the requests for carts report that it is away
            _log.debug("counts of a minute wait: %s", error)

    async def write_always(self, store: AsyncRedisStore) -> None:
        """Writes until it is cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(min(WRITE_SECONDS, 60 - time.time() % 60))
                await self.write(store)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self.write(store)

    async def _put(self, store: AsyncRedisStore, minute: int, counts: Counts) -> None:
        await store.send(*put_counts(store.keys, minute, self._worker, counts))
        self._written[minute] = counts
