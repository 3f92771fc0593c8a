"""Memory: how little a cart needs, and what still works when there is none left."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore, StoreUnavailableError
from ecart.operations import BeginCheckout
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine

KEY = Keyspace().cart("c")


def test_a_small_cart_is_small(any_engine: Engine) -> None:
    """Five lines, with counters, version and records: at most 500 bytes, in one compact piece."""
    with any_engine.connected() as client:
        cart = Cart("c", client)
        for number in range(5):
            cart.add(f"product-{number}", 2, unit_price="19.99")

        assert client.memory_usage(KEY) <= 500
        assert client.object("encoding", KEY) in (b"listpack", b"ziplist")


def test_many_changes_leave_it_small(engine: Engine) -> None:
    """A thousand changes later it is no larger."""
    with engine.connected() as client:
        cart = Cart("c", client)
        for number in range(1000):
            cart.add(f"product-{number % 5}", 2, unit_price="19.99")

        assert client.memory_usage(KEY) <= 520
        assert client.object("encoding", KEY) == b"listpack"


@contextlib.contextmanager
def no_memory(client: Any) -> Iterator[None]:
    """Every command that needs memory is refused."""
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        client.config_set("maxmemory", "0")


@pytest.fixture
def full(any_engine: Engine) -> Iterator[Cart]:
    """A cart with two lines in an engine without memory."""
    with any_engine.connected() as client:
        cart = Cart("c", RedisStore(client, deadline=0.05))
        cart.add("apple", 3, unit_price="1.5")
        cart.add("pear", unit_price="1")
        with no_memory(client):
            yield cart


@pytest.mark.parametrize(
    "call",
    [
        lambda cart: cart.add("plum"),
        lambda cart: cart.add("apple"),
        lambda cart: cart.set_quantity("apple", 9),
        lambda cart: cart.set_ttl(50),
        lambda cart: Cart("new", cart.store).add("apple"),
    ],
    ids=["another line", "more units", "another quantity", "a ttl", "another cart"],
)
def test_growing_is_refused_cleanly(full: Cart, call: Callable[[Cart], object]) -> None:
    """`store_unavailable`, known not to be executed, and nothing is half done."""
    before = full.get()

    with pytest.raises(StoreUnavailableError) as refused:
        call(full)

    assert refused.value.code == "store_unavailable"
    assert full.get() == before
    assert not Cart("new", full.store).get().exists


def test_growing_is_refused_after_a_checkout_that_ran_out(any_engine: Engine) -> None:
    """What it saw of the lines goes then, but that does not make room for the change."""
    with any_engine.connected() as client:
        cart = Cart("c", RedisStore(client, deadline=0.05))
        cart.add("apple", 3, unit_price="1.5")
        begin = BeginCheckout(checkout_id="c" * 16, hold_ms=20, keeps_additions=True)
        cart.perform(begin)
        cart.add("apple")
        time.sleep(0.05)

        with no_memory(client), pytest.raises(StoreUnavailableError):
            cart.add("apple")

        assert cart.get().total_quantity == 4
        assert cart.add("apple").summary.state == "open"
        assert [f for f in client.hkeys(KEY) if f.startswith(b"!")] == []


def test_shrinking_works(full: Cart) -> None:
    """Removing lines, one by one and all at once."""
    assert full.remove("pear").summary.line_count == 1
    assert full.set_quantity("apple", 0).summary.line_count == 0
    assert full.get().lines == ()


def test_clearing_works(full: Cart) -> None:
    """All lines go, the cart stays."""
    assert full.clear().summary.line_count == 0
    assert full.get().exists


def test_destroying_works(full: Cart) -> None:
    """The cart ends and leaves its trace."""
    assert full.destroy().version == 3
    assert not full.get().exists
    assert full.summary().lifetime_ms == 900_000


def test_purging_works(full: Cart) -> None:
    """Nothing is left."""
    assert full.purge().version == 0


def test_unknown_scripts_work(full: Cart, any_engine: Engine) -> None:
    """Also when the engine has to learn the script first."""
    with any_engine.connected() as client:
        client.script_flush()

    assert full.remove("pear").summary.line_count == 1


def test_it_goes_on_when_there_is_memory_again(any_engine: Engine) -> None:
    """A refused add, repeated later, is one add."""
    with any_engine.connected() as client:
        cart = Cart("c", RedisStore(client, deadline=0.05))
        with no_memory(client), pytest.raises(StoreUnavailableError):
            cart.add("apple", operation_id="x")

        assert not cart.add("apple", operation_id="x").replayed
        assert cart.summary().total_quantity == 1
