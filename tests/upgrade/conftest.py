"""An engine with the carts that an earlier version stored, and handles on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecart import AsyncCart, AsyncRedisStore, Cart, RedisStore
from upgrade.golden import Golden, StoredCart, golden, plant
from waiting import Waiting

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from engines import Engine


@pytest.fixture
def client(engine: Engine) -> Iterator[Any]:
    """A redis-py client, for raw commands."""
    with engine.connected() as client:
        yield client


@pytest.fixture
def before(client: Any) -> Golden:
    """The carts, stored a moment ago."""
    carts = golden()
    plant(client, carts.carts)
    return carts


@pytest.fixture(params=["sync", "async"])
def handle(
    request: pytest.FixtureRequest, engine: Engine, runner: asyncio.Runner
) -> Iterator[Callable[[StoredCart], Cart]]:
    """Makes a `Cart`, or an `AsyncCart` whose methods are run to their end."""
    if request.param == "sync":
        store = RedisStore(engine.url)
        yield lambda cart: Cart(cart.cart_id, store, rules=cart.rules)
        store.close()
        return
    async_store = AsyncRedisStore(engine.url)

    def make(cart: StoredCart) -> Any:
        return Waiting(AsyncCart(cart.cart_id, async_store, rules=cart.rules), runner)

    yield make
    runner.run(async_store.close())
