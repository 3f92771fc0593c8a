"""`test_connections` for asyncio: its own pool is asked seldom, somebody else's each time."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio

from ecart import AsyncCart, AsyncRedisStore, StoreUnavailableError
from ecart.stores.redis.transport import connections
from ecart.stores.redis.transport.async_connections import (
    AsyncCachedConnections,
    AsyncPoolConnections,
)
from ecart.stores.redis.transport.async_wire import send_all_async
from engines import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engines import Engine

WHO = ("CLIENT", "ID")


class Pool:
    """A client's pool that counts how often it is asked, and how many connections are out."""

    def __init__(self, pool: Any) -> None:
        self.real = pool
        self.asked = 0
        self.out = 0

    async def get_connection(self) -> Any:
        connection = await AsyncPoolConnections(self.real).acquire()
        self.asked += 1
        self.out += 1
        return connection

    async def release(self, connection: Any) -> None:
        self.out -= 1
        await self.real.release(connection)


@pytest.fixture(params=[redis.asyncio, valkey.asyncio], ids=["redis", "valkey"])
async def pool(engine: Engine, request: pytest.FixtureRequest) -> AsyncIterator[Pool]:
    pool = Pool(request.param.ConnectionPool.from_url(engine.url))
    yield pool
    await pool.real.disconnect()


@pytest.fixture
def long_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pool is asked for does not depend on how slow the machine is."""
    monkeypatch.setattr(connections, "REUSE_SECONDS", 60.0)


async def who(cached: Any) -> Any:
    """The engine's name for the connection."""
    (name,) = await send_all_async(cached, [WHO])
    return name


@pytest.mark.usefixtures("long_kept")
async def test_a_pool_of_ones_own_is_asked_once(pool: Pool) -> None:
    cached = AsyncCachedConnections(pool)

    seen = {await who(cached) for _ in range(20)}

    assert (len(seen), pool.asked, pool.out) == (1, 1, 1)


async def test_somebody_elses_pool_has_each_connection_back(engine: Engine) -> None:
    """A pool with a single connection still has it when the cart has been changed."""
    for library in (redis.asyncio.Redis, valkey.asyncio.Valkey):
        client = library.from_url(engine.url, max_connections=1)
        cart = AsyncCart("c", client)
        await cart.add("apple")
        await asyncio.sleep(0.01)  # whoever was answered may have more to say in the next turn
        assert await client.ping()
        assert (await cart.get()).total_quantity == 1
        await asyncio.sleep(0.01)
        assert await client.ping()
        await client.flushall()
        await client.aclose()


async def test_the_pool_looks_again_after_a_while(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REUSE_SECONDS", 0.0)
    cached = AsyncCachedConnections(pool)

    seen = {await who(cached) for _ in range(3)}

    assert (len(seen), pool.asked, pool.out) == (1, 3, 1)


@pytest.mark.usefixtures("long_kept")
async def test_after_a_failure_the_pool_looks_at_all(pool: Pool) -> None:
    """What broke one connection may have broken the others, too."""
    cached = AsyncCachedConnections(pool)
    broken, *whole = [await cached.acquire() for _ in range(4)]
    for connection in whole:
        await cached.release(connection)
    assert pool.out == 4

    await cached.discard(broken)

    await cached.acquire()
    assert (pool.out, pool.asked) == (1, 5)


@pytest.mark.usefixtures("long_kept")
async def test_a_connection_that_the_engine_closed_is_not_lent(engine: Engine, pool: Pool) -> None:
    """The event loop has heard of it. No command fails for it."""
    cached = AsyncCachedConnections(pool)
    for connection in [await cached.acquire() for _ in range(4)]:
        await cached.release(connection)
    with engine.connected() as other:
        other.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.05)

    assert [await send_all_async(cached, [("PING",)]) for _ in range(4)] == [[b"PONG"]] * 4
    assert pool.out == 1


@pytest.mark.usefixtures("long_kept")
async def test_an_error_that_the_engine_tells_costs_no_connection(pool: Pool) -> None:
    cached = AsyncCachedConnections(pool)
    before = await who(cached)

    error, after = await send_all_async(cached, [("INCR",), WHO])

    assert (isinstance(error, Exception), after, pool.asked) == (True, before, 1)


@pytest.mark.usefixtures("long_kept")
@pytest.mark.parametrize("kind", [AsyncPoolConnections, AsyncCachedConnections])
async def test_who_was_interrupted_leaves_no_reply_behind(
    engine: Engine, pool: Pool, kind: type[AsyncPoolConnections | AsyncCachedConnections]
) -> None:
    """Time may be up after the command was sent: nobody else may read its reply."""
    cached = kind(pool)
    assert await send_all_async(cached, [("ECHO", "first")]) == [b"first"]

    with engine.frozen(), pytest.raises(TimeoutError):
        await send_all_async(cached, [("ECHO", "mine"), ("ECHO", "mine")], 0.05)

    assert pool.out == 0
    assert await send_all_async(cached, [("ECHO", "yours"), ("ECHO", "too")]) == [b"yours", b"too"]
    assert pool.out == (kind is AsyncCachedConnections)


@pytest.mark.usefixtures("long_kept")
async def test_a_store_of_a_url_asks_its_pool_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for what waits a turn between two changes, as requests do."""
    asked, get = [], redis.asyncio.ConnectionPool.get_connection

    @wraps(get)  # who asks looks at what the pool wants to be told
    async def counted(pool: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(pool)
        return await get(pool, *arguments, **options)

    monkeypatch.setattr(redis.asyncio.ConnectionPool, "get_connection", counted)
    store = AsyncRedisStore(engine.url)
    cart = AsyncCart("c", store)

    for _ in range(3):
        await cart.add("apple")
        await asyncio.sleep(0.01)

    assert ((await cart.get()).total_quantity, len(asked)) == (3, 1)
    await store.close()


async def test_a_store_of_a_url_keeps_no_more_connections_than_batches(engine: Engine) -> None:
    store = AsyncRedisStore(engine.url)
    with engine.connected() as other:
        before = len(other.client_list())
        for _ in range(5):
            await asyncio.gather(*(AsyncCart(f"c{n}", store).add("apple") for n in range(32)))

        assert len(other.client_list()) - before <= 2
        assert (await AsyncCart("c7", store).get()).total_quantity == 5
        await store.close()
        assert eventually(lambda: len(other.client_list()) == before)


@pytest.mark.usefixtures("long_kept")
async def test_a_store_whose_connections_were_all_closed_counts_each_add_once(
    engine: Engine,
) -> None:
    store = AsyncRedisStore(engine.url)
    cart = AsyncCart("c", store)
    with engine.connected() as other:
        for _ in range(20):
            await cart.add("apple")
            await asyncio.sleep(0.001)
            other.client_kill_filter(_type="normal", skipme=True)
        assert (await cart.get()).total_quantity == 20
    await store.close()


async def test_a_batch_that_fails_gives_its_connection_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up, give_up = [], AsyncCachedConnections.discard

    async def counted(cached: AsyncCachedConnections, connection: Any) -> None:
        given_up.append(connection)
        await give_up(cached, connection)

    monkeypatch.setattr(AsyncCachedConnections, "discard", counted)
    store = AsyncRedisStore(engine.url, deadline=0.1)
    await AsyncCart("c", store).add("apple")

    with engine.frozen(), pytest.raises(StoreUnavailableError):
        await AsyncCart("c", store).get()

    assert given_up
    await store.close()


@pytest.mark.usefixtures("long_kept")
async def test_what_goes_by_itself_uses_the_kept_connections_too(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool that has one connection for all turns nobody away while it is kept."""
    store = AsyncRedisStore(f"{engine.url}?max_connections=1")
    await AsyncCart("c", store).add("apple")
    await asyncio.sleep(0.01)

    transport = store._transport._transport_in(asyncio.get_running_loop())
    monkeypatch.setattr(transport, "_reply_timeout", 99.0)  # so that each attempt is the last one
    assert await store.send("c", ("ECHO", "alone")) == b"alone"
    await store.close()


def test_each_loop_has_connections_of_its_own(engine: Engine) -> None:
    """Two loops in turns: what one keeps is of no use to the other."""
    store = AsyncRedisStore(engine.url)

    async def one_more() -> int:
        return (await AsyncCart("c", store).add("apple")).summary.total_quantity

    with asyncio.Runner() as one, asyncio.Runner() as other:
        assert [loop.run(one_more()) for loop in (one, other) * 3] == [1, 2, 3, 4, 5, 6]
        for loop in (one, other):
            loop.run(store.close())
