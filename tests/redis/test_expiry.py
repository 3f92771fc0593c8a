"""The key's expiry, as the engine has it: set anew by every change, in the change's own script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, LineItem
from ecart.operations import PutLines
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine

KEY = Keyspace().cart("c")
A_WEEK = 604_800_000

CHANGES: dict[str, Callable[[Cart], Any]] = {
    "add": lambda cart: cart.add("apple"),
    "add another": lambda cart: cart.add("pear"),
    "set_quantity": lambda cart: cart.set_quantity("apple", 7),
    "set to zero": lambda cart: cart.set_quantity("apple", 0),
    "remove": lambda cart: cart.remove("apple"),
    "put": lambda cart: cart.perform(PutLines(lines=(LineItem("a", 1),), currency="USD")),
    "clear": lambda cart: cart.clear(),
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@each_change
def test_every_change_renews(change: Callable[[Cart], Any], any_engine: Engine) -> None:
    """The whole time to live begins again, also for one that hardly has any left."""
    with any_engine.connected() as client:
        cart = Cart("c", client)
        cart.add("apple")
        client.pexpire(KEY, 60_000)

        change(cart)

        assert A_WEEK - 5_000 < client.pttl(KEY) <= A_WEEK


@each_change
def test_a_change_ends_eternity(change: Callable[[Cart], Any], any_engine: Engine) -> None:
    """A key that lost its expiry gets it back with the next change."""
    with any_engine.connected() as client:
        cart = Cart("c", client)
        cart.add("apple")
        client.persist(KEY)

        change(cart)

        assert A_WEEK - 5_000 < client.pttl(KEY) <= A_WEEK


def test_what_is_never_to_expire_does_not(any_engine: Engine) -> None:
    """Also when its key had been given an expiry."""
    with any_engine.connected() as client:
        cart = Cart("c", client, ttl=None)
        cart.add("apple")
        client.pexpire(KEY, 60_000)

        cart.add("apple")

        assert client.pttl(KEY) == -1


def test_a_tombstone_lasts_15_minutes(any_engine: Engine) -> None:
    """Whatever life the cart had, and a second `destroy` does not lengthen it."""
    with any_engine.connected() as client:
        cart = Cart("c", client, ttl=None)
        cart.add("apple")
        cart.destroy()
        assert 895_000 < client.pttl(KEY) <= 900_000
        cart.destroy()
        cart.clear()

        assert client.pttl(KEY) <= 900_000
        assert cart.add("apple").version == 3
        assert client.pttl(KEY) == -1


def test_reading_never_writes(any_engine: Engine) -> None:
    """Hundreds of readers of nothing leave no key."""
    with any_engine.connected() as client:
        for number in range(250):
            cart = Cart(number, client)
            assert not cart.get().exists
            assert not cart.contains("apple")
            assert (cart.summary().version, cart.ttl()) == (0, 0)

        assert client.dbsize() == 0
