"""Live updates: which streams of this process follow which cart, and how they learn of changes.

A browser keeps one request open, and the server sends an event through it whenever the cart has a
new version (server-sent events, `shop/events.py`). Each open stream is a subscriber of one cart.
News of a cart reaches its subscribers in two ways:

1. Changes made in this process are published at once. `PublishingStore` wraps the store that the
   API uses, and passes on the summary that each change returns anyway.
2. Changes made elsewhere (another worker, a program that uses the library) are found by polling:
   one task reads the summary of each subscribed cart once a second. That is one read per cart,
   however many streams follow it, and none while there are no streams.

Publish/subscribe of the engine is not used: messages are lost when a connection breaks, so polling
would be needed in any case, and every change would pay for a message that hardly anybody waits for
(decision 22).

A subscriber holds only the latest state. A slow client skips versions, which is right for a cart:
only its newest state matters. States are ordered by version. If the cart has ended and a new one
has begun under the same id, their epochs differ, and versions cannot be compared; then any state
counts as new.

Streams are limited per process, per cart and per address, because each holds a connection. An
engine that is away ends no stream: polling goes on, and the next successful read publishes what was
missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from ecart.errors import EcartError, StoreError
from ecart.http.problems import HttpError
from ecart.model import CartChange, CartSummary
from ecart.operations import GetSummary, Operation, Rules
from ecart.store import AsyncStore
from ecart_server.rate_limits import Limits
from ecart_server.rate_limits.addresses import client_address

POLL_SECONDS = 1.0
READS_PER_BATCH = 100
"""Carts that are read at once, so that requests of shoppers do not wait behind all of them."""
MAX_STREAMS = 500
"""Of one process; each holds a connection, of which a process may have about a thousand."""
MAX_STREAMS_PER_CART = 20

_Result = TypeVar("_Result")
_log = logging.getLogger("ecart.service")


class Subscriber:
    """One stream's subscription to a cart: holds the newest state that it has not sent yet."""

    def __init__(self) -> None:
        self._pending: CartSummary | None = None
        self._sent: CartSummary | None = None
        self._wakeup = asyncio.Event()
        self.is_closed = False

    def start(self, cart: CartSummary, *, is_known: bool) -> None:
        """Sets the state at the beginning; the client has it already if `is_known`."""
        if is_known:
            self._sent = cart
        else:
            self.notify(cart)

    def notify(self, cart: CartSummary) -> None:
        """Makes a state pending, unless it is the known one, or older."""
        known = self._pending or self._sent
        if known is None or cart.epoch != known.epoch or cart.version > known.version:
            self._pending = cart
            self._wakeup.set()

    def close(self) -> None:
        """Ends the subscription, and wakes the stream that waits for news."""
        self.is_closed = True
        self._wakeup.set()

    async def next_state(self, seconds: float) -> CartSummary | None:
        """Waits for a state to send; None after this time, or when the subscription is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wakeup.wait()
        self._wakeup.clear()
        state, self._pending = self._pending, None
        self._sent = state or self._sent
        return None if self.is_closed else state


class Subscriptions:
    """All subscribers of one process, and the task that polls their carts."""

    def __init__(self, store: AsyncStore, rules: Rules, limits: Limits | None = None) -> None:
        self._store = store
        self._rules = rules
        self._limits = limits
        self._by_client: Counter[str] = Counter()
        self.subscribers: dict[str, set[Subscriber]] = {}
        """By cart id; a cart without subscribers is not in it."""
        self._polling: asyncio.Task[None] | None = None
        self._is_closed = False

    @contextlib.contextmanager
    def subscribe(self, cart_id: str, address: str = "") -> Iterator[Subscriber]:
        """A subscriber of the cart, for as long as the context lasts; `address` is the client's.

        Raises:
            HttpError: `too_many_streams`.
        """
        all_streams = sum(map(len, self.subscribers.values()))
        of_cart = self.subscribers.get(cart_id, set())
        client = client_address(address).name
        if (
            all_streams >= MAX_STREAMS
            or len(of_cart) >= MAX_STREAMS_PER_CART
            or self._has_most_streams(address)
        ):
            raise HttpError("too_many_streams", "too many follow already; look again now and then")
        subscriber = Subscriber()
        if self._is_closed:
            subscriber.close()
        self.subscribers.setdefault(cart_id, of_cart).add(subscriber)
        self._by_client[client] += 1
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll_while_subscribed())
        try:
            yield subscriber
        finally:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]
            of_cart.discard(subscriber)
            if not of_cart:
                self.subscribers.pop(cart_id, None)

    def _has_most_streams(self, address: str) -> bool:
        if self._limits is None or not self._limits.streams:
            return False
        client = client_address(address)
        is_counted = self._limits.counts_loopback or not client.is_loopback
        return is_counted and self._by_client[client.name] >= self._limits.streams

    def publish(self, cart: CartSummary) -> None:
        """Notifies the subscribers of a cart of its state."""
        for subscriber in self.subscribers.get(cart.cart_id, ()):
            subscriber.notify(cart)

    def close(self) -> None:
        """Ends all streams, and those that are still to come, so that the service can stop."""
        self._is_closed = True
        for subscribers in self.subscribers.values():
            for subscriber in subscribers:
                subscriber.close()
        if self._polling is not None:
            self._polling.cancel()

    async def _poll_while_subscribed(self) -> None:
        while self.subscribers:
            await asyncio.sleep(POLL_SECONDS)
            cart_ids = list(self.subscribers)
            for start in range(0, len(cart_ids), READS_PER_BATCH):
                if not await self._poll(cart_ids[start : start + READS_PER_BATCH]):
                    break  # the engine is away, and each further batch would wait for it, too

    async def _poll(self, cart_ids: list[str]) -> bool:
        """Reads carts and publishes their states; False if the engine does not answer."""
        reads = (self._store.execute(each, GetSummary(rules=self._rules)) for each in cart_ids)
        for found in await asyncio.gather(*reads, return_exceptions=True):
            if isinstance(found, CartSummary):
                self.publish(found)
            elif isinstance(found, StoreError):
                return False
            elif not isinstance(found, EcartError):
                _log.error("a followed cart cannot be read", exc_info=found)
        return True


class PublishingStore:
    """An `AsyncStore` that publishes the changes made through it to the subscribers of the cart."""

    def __init__(self, store: AsyncStore, subscriptions: Subscriptions) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._subscribers = subscriptions.subscribers

    def execute(self, cart_id: str, operation: Operation[Any], /) -> Any:
        """As the store; for a cart without subscribers it costs one dictionary lookup."""
        running = self._store.execute(cart_id, operation)
        return self._publish_after(running) if cart_id in self._subscribers else running

    async def _publish_after(self, running: Coroutine[Any, Any, _Result]) -> _Result:
        result = await running
        if isinstance(result, CartChange):
            self._subscriptions.publish(result.summary)
        return result
