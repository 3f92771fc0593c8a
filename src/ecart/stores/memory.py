"""Carts in this process's memory: for users' unit tests, and the oracle of ours.

It runs each operation's `apply()`. Nothing outlives the process; nothing is shared with another.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ecart.errors import SessionEndedError
from ecart.operations import EndSession, Operation, StoredCart, absent_cart
from ecart.operations.change import RecordedRefusalError

_Result = TypeVar("_Result")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class MemoryStore:
    """A `Store` without an engine. `clock` returns milliseconds since 1970."""

    def __init__(self, *, clock: Callable[[], int] = _now_ms, currency: str = "USD") -> None:
        self._clock = clock
        self._currency = currency
        self._carts: dict[str, StoredCart] = {}
        self._ended: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """Applies the operation to the cart, one at a time."""
        with self._lock:
            now_ms = self._clock()
            self._check_session(cart_id, operation, now_ms)
            try:
                stored, result = operation.apply(self._cart(cart_id, operation, now_ms), now_ms)
            except RecordedRefusalError as refusal:
                self._carts[cart_id] = refusal.stored
                raise refusal.error from None
            if stored.snapshot.epoch:
                self._carts[cart_id] = stored
            else:
                self._carts.pop(cart_id, None)
        # Callers may do with it what they like: nothing in it is what is stored.
        return copy.deepcopy(result)

    def _check_session(self, cart_id: str, operation: Operation[Any], now_ms: int) -> None:
        if now_ms < self._ended.get((cart_id, operation.session_id), 0):
            raise SessionEndedError
        if isinstance(operation, EndSession):
            self._ended = {key: until for key, until in self._ended.items() if now_ms < until}
            self._ended[cart_id, operation.ended_id] = now_ms + operation.life_ms

    def _cart(self, cart_id: str, operation: Operation[_Result], now_ms: int) -> StoredCart:
        stored = self._carts.get(cart_id)
        if stored is not None:
            cart = stored.snapshot
            if not cart.lifetime_ms or now_ms < cart.updated_ms + cart.lifetime_ms:
                return stored
        return absent_cart(cart_id, operation.rules.currency)


class AsyncMemoryStore:
    """`MemoryStore` for asyncio; give both the same `MemoryStore` to share carts."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self._store = store or MemoryStore()

    async def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As `MemoryStore.execute`."""
        return self._store.execute(cart_id, operation)
