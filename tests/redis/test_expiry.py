"""The key's expiry, as the engine has it: set anew by every change, in the change's own script."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart
from ecart.model import Merge
from ecart.operations import BeginMerge, Change, EndMerge, Prolong
from ecart.stores.redis.keys import Keyspace
from operation_examples import ADD_ANOTHER, OF_LINES, SET_TO_ZERO

if TYPE_CHECKING:
    from engines import Engine

KEY = Keyspace().cart("c")
A_WEEK = 604_800_000

CHANGES = OF_LINES | {"add another": ADD_ANOTHER, "set to zero": SET_TO_ZERO}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@each_change
def test_every_change_renews(change: Change, any_engine: Engine) -> None:
    """The whole time to live begins again, also for one that hardly has any left."""
    with any_engine.connected() as client:
        cart = Cart("c", client)
        cart.add("apple")
        client.pexpire(KEY, 60_000)

        cart.perform(change)

        assert A_WEEK - 5_000 < client.pttl(KEY) <= A_WEEK


@each_change
def test_a_change_ends_eternity(change: Change, any_engine: Engine) -> None:
    """A key that lost its expiry gets it back with the next change."""
    with any_engine.connected() as client:
        cart = Cart("c", client)
        cart.add("apple")
        client.persist(KEY)

        cart.perform(change)

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


@pytest.mark.parametrize("ttl", [None, 3600])
def test_a_merge_has_a_life_of_its_own(ttl: int | None, any_engine: Engine) -> None:
    """Begun, a week; ended, a day; refused, that of the open cart, whatever that is."""
    with any_engine.connected() as client:
        cart = Cart("c", client, ttl=ttl)
        cart.add("apple")
        begin = BeginMerge(merge=Merge("m" * 16, "sum", "target"), rules=cart.rules)
        refused, ended = (
            EndMerge(merge_id="m" * 16, is_merged=is_merged, rules=cart.rules)
            for is_merged in (False, True)
        )

        cart.perform(begin)
        assert A_WEEK - 5_000 < client.pttl(KEY) <= A_WEEK
        cart.perform(refused)
        assert client.pttl(KEY) == -1 if ttl is None else 3_595_000 < client.pttl(KEY) <= 3_600_000
        cart.perform(begin)
        cart.perform(ended)
        assert 86_395_000 < client.pttl(KEY) <= 86_400_000


FIRST_HOUR = 3_600_000


def prolonged(cart: Cart) -> Any:
    """The cart, which was to live an hour, given the life of its handle."""
    return cart.perform(Prolong(early_ms=FIRST_HOUR, rules=cart.rules))


def test_a_prolonged_cart_lives_as_if_it_had_never_been_early(any_engine: Engine) -> None:
    """From its last change on, and nothing else of it is another: no version, no record."""
    with any_engine.connected() as client:
        Cart("c", client, ttl=3600).add("apple")
        fields = client.hgetall(KEY)
        cart = Cart("c", client)

        time.sleep(0.3)
        done = prolonged(cart)

        assert A_WEEK - 5_000 < client.pttl(KEY) < A_WEEK - 250
        assert client.hgetall(KEY) == fields | {
            b"m": fields[b"m"].replace(b"3600000", b"604800000")
        }
        assert (done.version, done.replayed, done.summary.ttl_ms) == (1, False, A_WEEK)


@pytest.mark.parametrize("ttl", [None, 3600])
def test_only_what_was_to_end_early_is_prolonged(ttl: int | None, any_engine: Engine) -> None:
    """Not what has another life, nor what `set_ttl` chose, nor what is not there."""
    with any_engine.connected() as client:
        eternal = Cart("c", client, ttl=None)
        prolonged(eternal)
        assert client.dbsize() == 0
        cart = Cart("c", client, ttl=7200 if ttl is None else ttl)
        cart.add("apple")
        if ttl is not None:
            cart.set_ttl(ttl)
        before = (client.hgetall(KEY), -(-client.pttl(KEY) // 60_000))

        prolonged(eternal)

        assert (client.hgetall(KEY), -(-client.pttl(KEY) // 60_000)) == before


def test_a_held_cart_is_prolonged_and_an_ended_one_is_not(any_engine: Engine) -> None:
    """A check-out does not stand in the way. A tombstone keeps its quarter of an hour."""
    with any_engine.connected() as client:
        cart = Cart("c", client, ttl=3600)
        cart.add("apple")
        held = cart.begin_checkout()
        prolonged(Cart("c", client, ttl=None))
        assert client.pttl(KEY) == -1
        assert cart.release_checkout(held.checkout_id).summary.state == "open"

        cart.destroy()
        prolonged(Cart("c", client))

        assert 890_000 < client.pttl(KEY) <= 900_000


def test_a_full_memory_does_not_keep_a_cart_from_its_life(own_engine: Engine) -> None:
    """Else every look at such a cart would wait until its deadline."""
    with own_engine.connected() as client:
        Cart("c", client, ttl=3600).add("apple")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")

        began = time.monotonic()
        prolonged(Cart("c", client))

        assert time.monotonic() - began < 1
        assert client.pttl(KEY) > FIRST_HOUR
        client.config_set("maxmemory", "0")


def test_reading_never_writes(any_engine: Engine) -> None:
    """Hundreds of readers of nothing leave no key."""
    with any_engine.connected() as client:
        for number in range(250):
            cart = Cart(number, client)
            assert not cart.get().exists
            assert not cart.contains("apple")
            assert (cart.summary().version, cart.ttl()) == (0, 0)

        assert client.dbsize() == 0
