"""Replies that came in one packet are taken from the reader of hiredis: each once, in its order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio
import valkey.asyncio

from ecart import AsyncCart, AsyncRedisStore
from ecart.stores.redis.transport.async_connections import AsyncPoolConnections
from ecart.stores.redis.transport.async_wire import send_batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engines import Engine


@pytest.fixture(params=["redis-2", "redis-3", "valkey-2"])
async def connection(engine: Engine, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A connection of a client that speaks RESP2 or RESP3."""
    library, protocol = request.param.split("-")
    kind = redis.asyncio.Redis if library == "redis" else valkey.asyncio.Valkey
    client = kind.from_url(engine.url, protocol=int(protocol))
    taken = await AsyncPoolConnections(client.connection_pool).acquire()
    yield taken
    await client.connection_pool.release(taken)
    await client.flushall()
    await client.aclose()


async def test_each_command_has_its_reply(connection: Any) -> None:
    """Of every kind that an engine tells, errors among them, and none is left for the next."""
    commands = [
        ("SET", "k", "v"), ("GET", "k"), ("GET", "none"), ("INCR", "n"), ("INCR", "k"),
        ("HGETALL", "none"), ("EXISTS", "k"), ("HSET", "h", "a", "1"), ("HMGET", "h", "a", "b"),
        ("EVAL", "return {'ok', '1', {}}", 0), ("ECHO", ""),
    ]  # fmt: skip

    ok, v, none, one, refused, empty, exists, made, values, script, nothing = await send_batch(
        connection, commands
    )

    assert (ok in (b"OK", "OK", True), v, none, one) == (True, b"v", None, 1)
    assert "not an integer" in str(refused)
    assert isinstance(refused, Exception)
    assert (dict(empty), exists, made, values) == ({}, 1, 1, [b"1", None])
    assert (script, nothing) == ([b"ok", b"1", []], b"")
    assert await send_batch(connection, [("PING",), ("GET", "n")]) == [b"PONG", b"1"]


async def test_replies_that_come_in_pieces(connection: Any) -> None:
    """More than one packet holds: what is not here yet is waited for."""
    texts = [bytes([65 + n]) * 300_000 for n in range(9)]

    replies = await send_batch(connection, [("ECHO", text) for text in texts])

    assert replies == texts


async def test_what_the_engine_says_of_itself_is_no_reply(engine: Engine) -> None:
    """RESP3 pushes messages between replies: here, that a key which was read has changed."""
    client = redis.asyncio.Redis.from_url(engine.url, protocol=3)
    taken = await AsyncPoolConnections(client.connection_pool).acquire()
    heard: list[Any] = []

    async def hear(message: Any, **_: Any) -> None:
        heard.append(message)

    taken._parser.set_invalidation_push_handler(hear)
    try:
        assert await send_batch(taken, [("CLIENT", "TRACKING", "ON")]) == [b"OK"]
        keys = [f"n{n}" for n in range(9)]
        commands = [each for key in keys for each in (("GET", key), ("INCR", key), ("PING",))]

        replies = await send_batch(taken, commands)

        assert replies == [reply for _ in keys for reply in (None, 1, b"PONG")]
        assert await send_batch(taken, [("GET", "n0"), ("GET", "n8")]) == [b"1", b"1"]
        assert [message[1] for message in heard] == [[key.encode()] for key in keys]
    finally:
        await taken.disconnect()
        await client.connection_pool.release(taken)
        await client.flushall()
        await client.aclose()


async def test_a_failed_connection_fails_all_and_is_closed(connection: Any) -> None:
    """An answer that is the connection's own error, as while an engine loads its file."""
    loading = "return redis.error_reply('LOADING the dataset in memory')"

    with pytest.raises(Exception, match="the dataset in memory") as failed:
        await send_batch(connection, [("PING",), ("EVAL", loading, 0), ("PING",)])

    assert "ConnectionError" in [kind.__name__ for kind in type(failed.value).__mro__]
    assert not connection.is_connected


async def test_changes_and_reads_of_many_callers(engine: Engine) -> None:
    """Each has its own answer, whatever came in the same packet."""
    store = AsyncRedisStore(engine.url)
    carts = [AsyncCart(number, store) for number in range(80)]

    await asyncio.gather(*(cart.add(f"sku-{cart.cart_id}", 2, unit_price="1.5") for cart in carts))
    found = await asyncio.gather(*(cart.get() for cart in carts), *(cart.ttl() for cart in carts))
    await store.close()

    assert [[line.sku for line in cart.lines] for cart in found[:80]] == [
        [f"sku-{number}"] for number in range(80)
    ]
    assert all(604_790 <= ttl <= 604_800 for ttl in found[80:])
