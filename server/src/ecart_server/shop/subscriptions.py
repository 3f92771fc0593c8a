"""Who follows which cart in this process, and how it learns that one has changed.

A change that this process makes is told at once. Those of others are seen by one small read per
second and followed cart, whatever number of streams follows it: see decision 22.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from ecart.errors import EcartError, StoreError
from ecart.http.problems import HttpError
from ecart.model import CartChange, CartSummary
from ecart.operations import GetSummary, Operation, Rules
from ecart.store import AsyncStore

LOOK_SECONDS = 1.0
"""Between two looks at the carts that are followed."""
READS_TOGETHER = 100
"""Carts that are read at once, so that requests of shoppers do not wait behind all of them."""
MOST_STREAMS = 500
"""Of one process; each holds a connection, of which a process may have about a thousand."""
MOST_OF_ONE_CART = 20

_Result = TypeVar("_Result")
_log = logging.getLogger("ecart.service")


class Follower:
    """One stream's view of a cart: the latest state that it has not told yet."""

    def __init__(self) -> None:
        self._news: CartSummary | None = None
        self._told: CartSummary | None = None
        self._woken = asyncio.Event()
        self.is_over = False

    def begin(self, cart: CartSummary, *, is_known: bool) -> None:
        """How the cart is at the beginning, and whether the client has said that it knows."""
        if is_known:
            self._told = cart
        else:
            self.learn(cart)

    def learn(self, cart: CartSummary) -> None:
        """Has something to tell, unless it is what is known already, or older."""
        known = self._news or self._told
        if known is None or cart.epoch != known.epoch or cart.version > known.version:
            self._news = cart
            self._woken.set()

    def end(self) -> None:
        """There is nobody to tell any more."""
        self.is_over = True
        self._woken.set()

    async def news(self, seconds: float) -> CartSummary | None:
        """The state to tell; None if there was none for so long, or nobody is to be told."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()
        news, self._news = self._news, None
        self._told = news or self._told
        return None if self.is_over else news


class Following:
    """All followers of one process."""

    def __init__(self, store: AsyncStore, rules: Rules) -> None:
        self._store = store
        self._rules = rules
        self.followers: dict[str, set[Follower]] = {}
        """Those of each cart that is followed."""
        self._looking: asyncio.Task[None] | None = None
        self._is_ended = False

    @contextlib.contextmanager
    def follow(self, cart_id: str) -> Iterator[Follower]:
        """A follower of the cart, for as long as the context lasts.

        Raises:
            HttpError: `too_many_streams`.
        """
        everybody = sum(map(len, self.followers.values()))
        here = self.followers.get(cart_id, set())
        if everybody >= MOST_STREAMS or len(here) >= MOST_OF_ONE_CART:
            raise HttpError("too_many_streams", "too many follow already; look again now and then")
        follower = Follower()
        if self._is_ended:
            follower.end()
        self.followers.setdefault(cart_id, here).add(follower)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_while_followed())
        try:
            yield follower
        finally:
            here.discard(follower)
            if not here:
                self.followers.pop(cart_id, None)

    def tell(self, cart: CartSummary) -> None:
        """Tells the followers of a cart how it is now."""
        for follower in self.followers.get(cart.cart_id, ()):
            follower.learn(cart)

    def end(self) -> None:
        """Ends all streams, also those that are still to come, so that the service can stop."""
        self._is_ended = True
        for followers in self.followers.values():
            for follower in followers:
                follower.end()
        if self._looking is not None:
            self._looking.cancel()

    async def _look_while_followed(self) -> None:
        while self.followers:
            await asyncio.sleep(LOOK_SECONDS)
            cart_ids = list(self.followers)
            for start in range(0, len(cart_ids), READS_TOGETHER):
                if not await self._look_at(cart_ids[start : start + READS_TOGETHER]):
                    break  # the engine is away: what is left would only wait, too

    async def _look_at(self, cart_ids: list[str]) -> bool:
        reads = (self._store.execute(each, GetSummary(rules=self._rules)) for each in cart_ids)
        for found in await asyncio.gather(*reads, return_exceptions=True):
            if isinstance(found, CartSummary):
                self.tell(found)
            elif isinstance(found, StoreError):
                return False
            elif not isinstance(found, EcartError):
                _log.error("a followed cart cannot be read", exc_info=found)
        return True


class TellingStore:
    """A store that tells the followers of a cart of each change made through it."""

    def __init__(self, store: AsyncStore, following: Following) -> None:
        self._store = store
        self._following = following
        self._followed = following.followers

    def execute(self, cart_id: str, operation: Operation[Any], /) -> Any:
        """As the store; where nobody follows, it costs one look into a dictionary."""
        done = self._store.execute(cart_id, operation)
        return self._and_told(done) if cart_id in self._followed else done

    async def _and_told(self, doing: Coroutine[Any, Any, _Result]) -> _Result:
        done = await doing
        if isinstance(done, CartChange):
            self._following.tell(done.summary)
        return done
