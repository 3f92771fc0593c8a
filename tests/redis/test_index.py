"""The index of carts: noted along with a change, rarely, and never at the change's expense."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio

from ecart import AsyncCart, AsyncRedisStore, Cart, RedisStore
from ecart.errors import LineNotFoundError, OutcomeUnknownError
from ecart.stores.redis import index as index_module
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

KEYS = Keyspace()
INDEX = KEYS.index(KEYS.partition("c"))


@pytest.fixture
def client(any_engine: Engine) -> Iterator[Any]:
    with any_engine.connected() as client:
        yield client


def noted(client: Any, key: str = INDEX) -> dict[bytes, float]:
    return dict(client.zrange(key, 0, -1, withscores=True))


def notes(engine: Engine) -> int:
    """How many ZADD the engine has seen."""
    with engine.connected() as client:
        return client.info("commandstats").get("cmdstat_zadd", {"calls": 0})["calls"]


class Counting(redis.UnixDomainSocketConnection):
    """A connection that counts its packets."""

    packets = 0

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        type(self).packets += 1
        super().send_packed_command(*args, **options)


def test_a_change_notes_its_cart(client: Any) -> None:
    """At the time of the change, in an index that outlives every cart."""
    before = int(time.time() * 1000)

    Cart("c", client).add("apple")

    assert before <= noted(client)[b"c"] <= time.time() * 1000
    assert client.ttl(INDEX) > 365 * 86_400


def test_it_goes_in_the_packet_of_the_change(engine: Engine) -> None:
    """No round trip more, neither for the first change nor for the next."""
    pool = redis.ConnectionPool(connection_class=Counting, path=str(engine.socket))
    client = redis.Redis(connection_pool=pool)
    client.ping()
    Cart("other", client).add("apple")  # the engine knows the script now
    packets = []

    for _ in range(3):
        Counting.packets = 0
        Cart("c", client).add("apple")
        packets.append(Counting.packets)

    assert packets == [1, 1, 1]
    assert b"c" in noted(client)
    client.close()


def test_once_a_minute_is_enough(client: Any) -> None:
    """What a cart is noted with stays while it is changed, by whatever handle of the client."""
    Cart("c", client).add("apple")
    client.delete(INDEX)

    Cart("c", client).add("apple")
    first = noted(client)
    Cart("c", RedisStore(client)).set_quantity("apple", 3)

    assert (first, noted(client)) == ({}, {})


def test_after_a_minute_it_is_noted_again(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the later time."""
    monkeypatch.setattr(index_module, "EVERY", 0.0)
    Cart("c", client).add("apple")
    first = noted(client)[b"c"]
    time.sleep(0.002)

    Cart("c", client).add("apple")

    assert noted(client)[b"c"] > first


def test_an_earlier_time_does_not_replace_a_later_one(client: Any) -> None:
    """The clocks of two machines need not agree."""
    later = int(time.time() * 1000) + 60_000
    client.zadd(INDEX, {"c": later})

    Cart("c", client).add("apple")

    assert noted(client) == {b"c": later}


def test_purge_leaves_no_name(client: Any) -> None:
    """A cart id may tell who somebody is."""
    Cart("c", client).add("apple")

    Cart("c", client).purge()

    assert noted(client) == {}
    assert client.keys("*") == []


@pytest.mark.parametrize("ending", ["destroy", "purge"])
def test_a_cart_made_again_is_noted_again(client: Any, ending: str) -> None:
    """Whoever looked meanwhile may have forgotten it."""
    Cart("c", client).add("apple")
    getattr(Cart("c", client), ending)()
    client.delete(INDEX)

    Cart("c", client).add("apple")

    assert b"c" in noted(client)


@pytest.mark.parametrize("cart_id", ["user 1", "ä/%:{}", "a" * 256, "0", "..", "x:cart:y"])
def test_any_cart_is_found_by_its_member(client: Any, cart_id: str) -> None:
    """The member names the key, and the key the id."""
    Cart(cart_id, client).add("apple")

    partition = KEYS.partition(cart_id)
    (member,) = noted(client, KEYS.index(partition))
    key = KEYS.indexed(partition, member.decode())

    assert key == KEYS.cart(cart_id)
    assert KEYS.cart_id(key) == cart_id


def test_without_an_index_none_is_written(client: Any) -> None:
    """It can be done without."""
    Cart("c", RedisStore(client, index=False)).add("apple")

    assert client.keys("*") == [KEYS.cart("c").encode()]


def test_its_failure_is_nobodys(any_engine: Engine) -> None:
    """Something else under its key: sync, asyncio, and by a client that is asked itself."""

    class Own(redis.Redis):
        def execute_command(self, *args: Any, **options: Any) -> Any:
            return super().execute_command(*args, **options)

    async def add() -> None:
        store = AsyncRedisStore(any_engine.url)
        await AsyncCart("c", store).add("apple")
        await store.close()

    with any_engine.connected() as client:
        client.set(INDEX, "no index")
        own = Own(unix_socket_path=str(any_engine.socket))

        Cart("c", client).add("apple")
        asyncio.run(add())
        Cart("c", own).add("apple")

        assert Cart("c", client).summary().total_quantity == 3
        assert client.get(INDEX) == b"no index"
        client.delete(INDEX)
        own.close()


async def test_tasks_note_their_carts(any_engine: Engine) -> None:
    """Each in the batch that its change goes in, and only once."""
    store = AsyncRedisStore(any_engine.url)
    before = notes(any_engine)

    await asyncio.gather(*(AsyncCart(n % 40, store).add("apple") for n in range(200)))

    with any_engine.connected() as client:
        found = {
            member
            for partition in {KEYS.partition(str(n)) for n in range(40)}
            for member in noted(client, KEYS.index(partition))
        }
    assert found == {str(n).encode() for n in range(40)}
    assert notes(any_engine) - before == 40
    await store.close()


def test_a_client_that_is_asked_itself_notes_too(any_engine: Engine) -> None:
    """It may know no other way than one command at a time."""

    class Own(redis.Redis):
        def execute_command(self, *args: Any, **options: Any) -> Any:
            return super().execute_command(*args, **options)

    own = Own(unix_socket_path=str(any_engine.socket))

    Cart("c", own).add("apple")

    assert b"c" in noted(own)
    own.close()


def test_a_change_that_waits_for_its_replica_notes_too(client: Any) -> None:
    """What goes along does not stand between the change and its confirmation."""
    store = RedisStore(client, durability="replicated", replicas=1, deadline=0.2)

    with pytest.raises(OutcomeUnknownError):  # there is no replica
        Cart("c", store).add("apple")

    assert b"c" in noted(client)


def test_a_change_that_failed_leaves_it_to_the_next(engine: Engine) -> None:
    """Nothing may have arrived of what went along."""
    store = RedisStore(engine.url, deadline=0.1)
    with engine.frozen(), pytest.raises(OutcomeUnknownError):
        Cart("c", store).add("apple")
    with engine.connected() as client:
        client.delete(INDEX)

        Cart("c", store).add("apple")

        assert b"c" in noted(client)
    store.close()


def test_a_change_that_was_interrupted_leaves_it_to_the_next(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal may end it before anything was sent."""

    def interrupted(*command: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("ecart.stores.redis.transport.sync.send_all", interrupted)
        Cart("c", client).add("apple")
    Cart("c", client).add("apple")

    assert b"c" in noted(client)


async def test_a_change_that_was_cancelled_leaves_it_to_the_next(engine: Engine) -> None:
    """Its caller's time may be up before the turn in which it would have been sent."""
    store = AsyncRedisStore(engine.url)
    change = asyncio.create_task(AsyncCart("c", store).add("apple"))
    await asyncio.sleep(0)
    change.cancel()
    await asyncio.gather(change, return_exceptions=True)
    with engine.connected() as client:
        assert client.keys("*") == []

        await AsyncCart("c", store).add("apple")

        assert b"c" in noted(client)
    await store.close()


def test_of_a_change_that_finds_no_cart_nothing_stays(client: Any) -> None:
    """Not even an entry: a robot could make any number of them."""
    with pytest.raises(LineNotFoundError):
        Cart("c", client).remove("apple")
    Cart("c", client).clear()

    assert client.keys("*") == []
    Cart("c", client).add("apple")
    assert b"c" in noted(client), "the next change is not taken for the one before"


def test_what_makes_no_cart_renews_its_entry(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another process, which has not noted it yet."""
    Cart("c", client).add("apple")
    client.zadd(INDEX, {"c": 1000})
    monkeypatch.setattr(index_module, "EVERY", 0.0)

    Cart(
        "c", RedisStore(f"unix://{client.connection_pool.connection_kwargs['path']}")
    ).set_quantity("apple", 2)

    assert noted(client)[b"c"] > 1000
