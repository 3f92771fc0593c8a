"""Where connections come from: a pool of one's own is asked seldom, somebody else's each time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest
import redis
import valkey

from ecart import Cart, RedisStore
from ecart.stores.redis.transport import connections
from ecart.stores.redis.transport.connections import CachedConnections, PoolConnections
from ecart.stores.redis.transport.sync import send_all, send_one
from engines import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

WHO = ("CLIENT", "ID")


class Pool:
    """A client's pool that counts how often it is asked."""

    def __init__(self, pool: Any) -> None:
        self.real = pool
        self.release = pool.release
        self.asked = 0

    def get_connection(self) -> Any:
        self.asked += 1
        return PoolConnections(self.real).acquire()


@pytest.fixture(params=[redis.ConnectionPool, valkey.ConnectionPool], ids=["redis", "valkey"])
def pool(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Pool]:
    pool = Pool(request.param.from_url(engine.url))
    yield pool
    pool.real.disconnect()


@pytest.fixture
def long_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pool is asked for does not depend on how slow the machine is."""
    monkeypatch.setattr(connections, "REUSE_SECONDS", 60.0)


@pytest.mark.usefixtures("long_kept")
def test_a_pool_of_ones_own_is_asked_once(pool: Pool) -> None:
    cached = CachedConnections(pool)

    seen = {send_one(cached, WHO) for _ in range(20)}
    seen |= set(send_all(cached, [WHO, WHO]))

    assert (len(seen), pool.asked) == (1, 1)


def test_somebody_elses_pool_has_each_connection_back(engine: Engine) -> None:
    """A pool with a single connection still has it when the cart has been changed."""
    for library in (redis, valkey):
        client: Any = library.from_url(engine.url, max_connections=1)  # type: ignore[no-untyped-call]
        cart = Cart("c", client)
        cart.add("apple")
        assert client.ping()
        assert cart.get().total_quantity == 1
        assert client.ping()
        client.flushall()
        client.close()


def test_the_pool_looks_again_after_a_while(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REUSE_SECONDS", 0.0)
    cached = CachedConnections(pool)

    seen = {send_one(cached, WHO) for _ in range(3)}

    assert (len(seen), pool.asked) == (1, 3)


@pytest.mark.usefixtures("long_kept")
def test_after_a_failure_the_pool_looks_at_all(engine: Engine, pool: Pool) -> None:
    """An engine that has closed all connections fails one command, not one for each of them."""
    cached = CachedConnections(pool)
    taken = [cached.acquire() for _ in range(4)]
    for connection in taken:
        cached.release(connection)
    with engine.connected() as other:
        other.client_kill_filter(_type="normal", skipme=True)

    with pytest.raises((redis.ConnectionError, valkey.ConnectionError)):
        send_one(cached, WHO)

    assert [send_one(cached, ("PING",)) for _ in range(4)] == [b"PONG"] * 4


@pytest.mark.usefixtures("long_kept")
def test_an_error_that_the_engine_tells_costs_no_connection(pool: Pool) -> None:
    cached = CachedConnections(pool)
    before = send_one(cached, WHO)

    with pytest.raises((redis.ResponseError, valkey.ResponseError)):
        send_one(cached, ("INCR",))
    errors = send_all(cached, [("INCR",), WHO])

    assert (isinstance(errors[0], Exception), errors[1]) == (True, before)


@pytest.mark.usefixtures("long_kept")
@pytest.mark.parametrize("kind", [PoolConnections, CachedConnections])
def test_who_was_interrupted_leaves_no_reply_behind(
    pool: Pool, kind: type[PoolConnections | CachedConnections]
) -> None:
    """A signal may end a call after the command was sent: nobody else may read its reply."""
    cached = kind(pool)
    connection = cached.acquire()
    reads = connection.read_response

    def interrupted(**options: Any) -> None:
        connection.read_response = reads
        raise KeyboardInterrupt

    connection.read_response = interrupted
    cached.release(connection)

    with pytest.raises(KeyboardInterrupt):
        send_one(cached, ("ECHO", "mine"))
    assert send_one(cached, ("ECHO", "yours")) == b"yours"

    connection.read_response = interrupted
    with pytest.raises(KeyboardInterrupt):
        send_all(cached, [("ECHO", "mine"), ("ECHO", "mine")])
    assert send_all(cached, [("ECHO", "yours"), ("ECHO", "too")]) == [b"yours", b"too"]


@pytest.mark.usefixtures("long_kept")
def test_a_forked_child_has_connections_of_its_own(pool: Pool) -> None:
    cached = CachedConnections(pool)
    mine = send_one(cached, WHO)
    reads, writes = os.pipe()

    child = os.fork()
    if not child:  # pragma: no cover  # in the child
        try:
            os.write(writes, b"%d" % send_one(cached, WHO))
        finally:
            os._exit(0)
    os.close(writes)
    theirs = os.read(reads, 99)
    os.close(reads)
    os.waitpid(child, 0)

    assert theirs.isdigit()
    assert int(theirs) != mine
    assert send_one(cached, WHO) == mine


@pytest.mark.parametrize("kept_for", [0.0, 0.001, 60.0])
def test_threads_share_no_connection(
    pool: Pool, kept_for: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the kept ones are being shown to the pool."""
    monkeypatch.setattr(connections, "REUSE_SECONDS", kept_for)
    cached = CachedConnections(pool)

    def echoes(name: int) -> bool:
        texts = [b"%d-%d" % (name, n) for n in range(300)]
        return [send_one(cached, ("ECHO", text)) for text in texts] == texts

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(echoes, range(8)))


@pytest.mark.usefixtures("long_kept")
def test_a_store_of_a_url_asks_its_pool_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, get = [], redis.ConnectionPool.get_connection

    @wraps(get)  # who asks looks at what the pool wants to be told
    def counted(pool: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(pool)
        return get(pool, *arguments, **options)

    monkeypatch.setattr(redis.ConnectionPool, "get_connection", counted)
    store = RedisStore(engine.url)
    cart = Cart("c", store)

    cart.add("apple")
    cart.add("pear", unit_price="1.50")

    assert (cart.get().total_quantity, cart.summary().version, len(asked)) == (2, 2, 1)
    cart.purge()
    store.close()


def test_a_store_of_a_url_keeps_no_more_connections_than_callers(engine: Engine) -> None:
    store = RedisStore(engine.url)
    together = threading.Barrier(8)

    def adds(n: int) -> None:
        together.wait(10)
        for _ in range(50):
            Cart(f"c{n}", store).add("apple")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(adds, range(8)))
    assert [Cart(f"c{n}", store).get().total_quantity for n in range(8)] == [50] * 8
    with engine.connected() as other:
        # The engine hears a moment later that a connection was closed: of earlier tests', too.
        assert eventually(lambda: len(other.client_list()) <= 8 + 1)
        store.close()
        assert eventually(lambda: len(other.client_list()) == 1)
        other.flushall()


@pytest.mark.usefixtures("long_kept")
def test_a_store_whose_connections_were_all_closed_counts_each_add_once(engine: Engine) -> None:
    store = RedisStore(engine.url)
    cart = Cart("c", store)
    with engine.connected() as other:
        for _ in range(20):
            cart.add("apple")
            other.client_kill_filter(_type="normal", skipme=True)
        assert cart.get().total_quantity == 20
        store.close()
        other.flushall()
