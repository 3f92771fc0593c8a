"""Callers at once in one event loop share a connection, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio
import valkey.asyncio

from ecart import AsyncCart, AsyncRedisStore, CorruptCartError
from ecart.errors import LineNotFoundError, QuantityLimitExceededError
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.transport import async_wire, batching
from ecart.stores.redis.transport.async_connections import AsyncPoolConnections
from ecart.stores.redis.transport.batching import MAX_READS, SCRIPT_WEIGHT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engines import Engine

TOGETHER = MAX_READS // SCRIPT_WEIGHT
"""Changes over one connection."""
CALLERS = 2 * TOGETHER + 2


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[AsyncRedisStore]:
    made = AsyncRedisStore(engine.url)
    yield made
    await made.close()


def connections(engine: Engine) -> int:
    """Those of others than the one who asks."""
    with engine.connected() as client:
        return len(client.client_list()) - 1


async def test_each_caller_has_its_own_reply(store: AsyncRedisStore, engine: Engine) -> None:
    """More of them than go into one batch, over no more than a connection for each batch."""
    before = connections(engine)

    changes = await asyncio.gather(
        *(AsyncCart(n, store).add(f"sku-{n}", unit_price=n + 1) for n in range(CALLERS))
    )

    assert [change.line and change.line.sku for change in changes] == [
        f"sku-{n}" for n in range(CALLERS)
    ]
    assert [change.summary.subtotal for change in changes] == list(range(1, CALLERS + 1))
    # One of a batch that was answered may be lent to the next, where connecting took so long.
    assert 1 <= connections(engine) - before <= -(-CALLERS // TOGETHER)


async def test_more_reads_than_changes_go_together(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script keeps the engine as long as several reads do; both may share a batch."""
    store = AsyncRedisStore(engine.url, index=False)
    sent: list[int] = []

    async def counted(connection: Any, commands: Any) -> list[Any]:
        sent.append(len(commands))
        return await async_wire.send_batch(connection, commands)

    monkeypatch.setattr(batching, "send_batch", counted)
    cart = AsyncCart("c", store)
    await cart.add("apple")

    await asyncio.gather(*(cart.summary() for _ in range(MAX_READS + 2)))
    await asyncio.gather(
        cart.add("apple"), *(cart.summary() for _ in range(MAX_READS - SCRIPT_WEIGHT + 1))
    )
    await store.close()

    assert sent[-4:] == [MAX_READS, 2, MAX_READS - SCRIPT_WEIGHT + 1, 1]


async def test_a_connection_is_kept_while_there_is_more_to_say(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two callers who go on at once borrow one connection, and not one for each turn."""
    client, taken = redis.asyncio.Redis.from_url(engine.url), []
    take = AsyncPoolConnections.acquire

    async def counted(pool: AsyncPoolConnections) -> Any:
        taken.append(await take(pool))
        return taken[-1]

    monkeypatch.setattr(AsyncPoolConnections, "acquire", counted)

    async def shop(sku: str) -> None:
        for _ in range(30):
            await AsyncCart("c", client).add(sku)

    await asyncio.gather(shop("apple"), shop("pear"))

    assert len(taken) == 1
    assert (await AsyncCart("c", client).get()).total_quantity == 60
    await client.aclose()


async def test_a_connection_goes_back_now_and_then(
    own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever else waits for it has it soon, and what was ready meanwhile is sent all the same."""
    monkeypatch.setattr("ecart.stores.redis.transport.batching.MAX_ROUNDS", 3)
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        own_engine.url, max_connections=1, timeout=2
    )
    client, looked = redis.asyncio.Redis(connection_pool=pool), asyncio.Event()

    async def shop(sku: str) -> int:
        adds = 0
        while not looked.is_set():
            await AsyncCart("c", client).add(sku)
            adds += 1
        return adds

    async def look() -> int:
        await asyncio.sleep(0.05)  # the connection is in use by then, and never for nothing
        for _ in range(5):
            assert await client.ping()
        looked.set()
        return 0

    adds = await asyncio.wait_for(asyncio.gather(shop("apple"), shop("pear"), look()), 20)

    assert (await AsyncCart("c", client).get()).total_quantity == sum(adds)
    await client.aclose()
    await pool.disconnect()


async def test_handles_of_one_client_share(engine: Engine) -> None:
    """A `Cart` made for each request, of redis-py's or valkey-py's client."""
    for client in (
        redis.asyncio.Redis.from_url(engine.url),
        valkey.asyncio.Valkey.from_url(engine.url),
    ):
        before = connections(engine)

        await asyncio.gather(*(AsyncCart("c", client).add("apple") for _ in range(TOGETHER)))

        assert connections(engine) - before == 1
        await client.aclose()
    with engine.connected() as client:
        assert client.hget(Keyspace().cart("c"), ":apple").startswith(b"%d|" % (2 * TOGETHER))


@pytest.mark.foreign_data
async def test_a_refusal_touches_its_caller_alone(store: AsyncRedisStore, engine: Engine) -> None:
    """Refused, corrupt, of a wrong type: the others do not notice."""
    with engine.connected() as client:
        client.set(Keyspace().cart("string"), "not a cart")
        client.hset(Keyspace().cart("torn"), "v", "1")
    await AsyncCart("b", store).add("pear")  # or the engine had to be told the script meanwhile

    answers: list[Any] = await asyncio.gather(
        AsyncCart("a", store).add("apple"),
        AsyncCart("b", store).remove("apple"),
        AsyncCart("string", store).add("apple"),
        AsyncCart("torn", store).add("apple"),
        AsyncCart("string", store).get(),
        AsyncCart("a", store).add("apple", quantity=9_999),
        AsyncCart("a", store).get(),
        return_exceptions=True,
    )

    assert [type(answer).__name__ for answer in answers] == [
        "CartChange",
        LineNotFoundError.__name__,
        *3 * [CorruptCartError.__name__],
        QuantityLimitExceededError.__name__,
        "CartSnapshot",
    ]
    assert answers[-1].total_quantity == 1


async def test_a_script_that_is_not_known_is_brought(
    store: AsyncRedisStore, engine: Engine
) -> None:
    """By each of those who met that, once."""
    with engine.connected() as client:
        client.script_flush()

    changes = await asyncio.gather(*(AsyncCart("c", store).add("apple") for _ in range(TOGETHER)))

    assert sorted(change.version for change in changes) == list(range(1, TOGETHER + 1))


async def test_who_leaves_before_sending_sends_nothing(store: AsyncRedisStore) -> None:
    """A task cancelled in the turn in which it asked."""
    leaving = asyncio.create_task(AsyncCart("c", store).add("pear"))
    staying = asyncio.create_task(AsyncCart("c", store).add("apple"))
    await asyncio.sleep(0)
    leaving.cancel()

    assert (await staying).version == 1

    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await AsyncCart("c", store).get()).total_quantity == 1


async def test_who_leaves_after_sending_disturbs_nobody(own_engine: Engine) -> None:
    """The others' replies come, each to its caller, also over the same connection later."""
    store = AsyncRedisStore(own_engine.url)
    await AsyncCart("c", store).add("apple")
    with own_engine.frozen():
        tasks = [asyncio.create_task(AsyncCart(n, store).add(f"sku-{n}")) for n in range(10)]
        await asyncio.sleep(0.1)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0.05)

    changes = await asyncio.gather(*tasks[1::2])

    assert [change.line and change.line.sku for change in changes] == [
        f"sku-{n}" for n in range(1, 10, 2)
    ]
    assert all(task.cancelled() for task in tasks[::2])
    later = await asyncio.gather(*(AsyncCart(n, store).get() for n in range(10)))
    assert [cart.lines[0].sku for cart in later] == [f"sku-{n}" for n in range(10)]
    await store.close()
