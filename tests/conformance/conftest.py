"""Every store, sync and async, behind one face: each test here is written once.

`make_cart(cart_id, **options)` makes a `Cart`, or an `AsyncCart` whose methods are run to their
end by one event loop, so that a test body does not tell them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecart import AsyncCart, AsyncMemoryStore, AsyncRedisStore, Cart, MemoryStore, RedisStore
from engines import KINDS, Engines
from waiting import Waiting

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

STORES = ("memory", *KINDS)


@pytest.fixture(params=[f"{store}-{mode}" for store in STORES for mode in ("sync", "async")])
def make_cart(
    request: pytest.FixtureRequest, engines: Engines, runner: asyncio.Runner
) -> Iterator[Callable[..., Cart]]:
    kind, mode = request.param.split("-")
    url = None if kind == "memory" else engines.acquire(kind).url
    if mode == "sync":
        store = RedisStore(url) if url else MemoryStore()
        yield lambda cart_id="c", **options: Cart(cart_id, store, **options)
        if isinstance(store, RedisStore):
            store.close()
        return
    async_store = AsyncRedisStore(url) if url else AsyncMemoryStore()

    def make(cart_id: str | int = "c", **options: Any) -> Any:
        return Waiting(AsyncCart(cart_id, async_store, **options), runner)

    yield make
    if isinstance(async_store, AsyncRedisStore):
        runner.run(async_store.close())


@pytest.fixture
def cart(make_cart: Callable[..., Cart]) -> Cart:
    """A cart that does not exist yet."""
    return make_cart()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, engines: Engines) -> Iterator[MemoryStore | RedisStore]:
    """Every store, sync: for what has no asyncio side."""
    if request.param == "memory":
        yield MemoryStore()
        return
    redis_store = RedisStore(engines.acquire(request.param).url)
    yield redis_store
    redis_store.close()
