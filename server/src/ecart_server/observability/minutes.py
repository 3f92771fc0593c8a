"""Counts this worker's operations per minute, and writes them beside the carts now and then.

While the engine is away they wait here, as long as they would be kept there. A worker that is
killed takes the last seconds with it: this is a statistic, and no promise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ecart.errors import VersionConflictError
from ecart.operations import (
    AddItem,
    BeginCheckout,
    Clear,
    CompleteCheckout,
    Operation,
    RemoveLine,
    SetQuantity,
    new_token,
)
from ecart.stores.redis import AsyncRedisStore
from ecart_server.redis_admin.minutes import KEPT_MINUTES, Counts, minute_now, put_counts

_log = logging.getLogger("ecart.minutes")

WRITE_EVERY = 2.0
"""Seconds between two writings, which are what a killed worker loses at most."""
LAST_SECONDS = 1.0
"""How long the last writing may take when the worker ends."""


class MinuteCounts:
    """Counts what shoppers do; an `Observer`."""

    def __init__(self, clock: Callable[[], int] = minute_now) -> None:
        self._worker = new_token()
        self._clock = clock
        self._counts: dict[int, Counts] = {}
        self._written: dict[int, Counts] = {}
        self._kinds: dict[type[Operation[Any]], Callable[[Counts, Any, Any], None]] = {
            AddItem: _added,
            RemoveLine: _removed,
            SetQuantity: _set,
            Clear: _removed,
            BeginCheckout: _begun,
            CompleteCheckout: _completed,
        }

    def done(self, operation: Operation[Any], result: Any, seconds: float, /) -> None:
        """Counts a change that has taken effect, once."""
        count = self._kinds.get(type(operation))
        if count is not None and not result.replayed:
            count(self._now(), operation, result)

    def failed(self, operation: Operation[Any], error: BaseException, seconds: float, /) -> None:
        """Counts a conflict."""
        if isinstance(error, VersionConflictError):
            self._now().conflicts += 1

    async def write(self, store: AsyncRedisStore) -> None:
        """Writes what has been counted since the last time; what cannot be written waits."""
        self._drop_old()
        waiting = self._counts.keys() - self._done()
        failed = await asyncio.gather(
            *(self._put(store, minute) for minute in waiting), return_exceptions=True
        )
        for error in filter(None, failed):  # callers who ask for carts are told in words
            _log.debug("counts of a minute wait: %s", error)

    async def write_always(self, store: AsyncRedisStore) -> None:
        """Writes until it is cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY)
                await self.write(store)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self.write(store)

    async def _put(self, store: AsyncRedisStore, minute: int) -> None:
        seen = replace(self._counts[minute])
        await store.send(*put_counts(store.keys, minute, self._worker, seen))
        self._written[minute] = seen

    def _done(self) -> set[int]:
        return {minute for minute, seen in self._written.items() if seen == self._counts[minute]}

    def _now(self) -> Counts:
        minute = self._clock()
        counts = self._counts.get(minute)
        if counts is None:
            counts = self._counts[minute] = Counts()
        return counts

    def _drop_old(self) -> None:
        oldest = self._clock() - KEPT_MINUTES
        for minute in [minute for minute in self._counts if minute < oldest]:
            del self._counts[minute]
            self._written.pop(minute, None)


def _added(counts: Counts, operation: AddItem, result: Any) -> None:
    counts.units_added += operation.quantity
    if result.version == 1:
        counts.carts_begun += 1


def _removed(counts: Counts, operation: RemoveLine | Clear, result: Any) -> None:
    if result.version:  # else there was no cart to clear
        counts.removals += 1


def _set(counts: Counts, operation: SetQuantity, result: Any) -> None:
    if operation.quantity == 0:
        counts.removals += 1


def _begun(counts: Counts, operation: BeginCheckout, result: Any) -> None:
    counts.checkouts_begun += 1


def _completed(counts: Counts, operation: CompleteCheckout, result: Any) -> None:
    counts.checkouts_completed += 1
