"""Operation records are forgotten by age, never by count; too many young ones refuse the next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from ecart import Cart, MemoryStore
from ecart.errors import CartLockedError, TooManyOperationsError
from ecart.operations import Change
from ecart.stores.redis.deduplication import acquire_lane
from ecart.stores.redis.keys import Keyspace
from operation_examples import ADD_ANOTHER, OF_AN_OPEN_CART, SET_TO_ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

KEY = Keyspace().cart("c")
LANES, KEYS, MERGES = b"~", b"#", b"&"
TEN_MINUTES, A_DAY, A_MINUTE = 600, 86_400, 60


class Planted:
    """A cart in the engine whose records are made, and made older, by hand."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.cart = Cart("c", client)
        self.cart.add("apple", unit_price="1")

    def records(self, kind: bytes) -> set[bytes]:
        return {name for name in self.client.hkeys(KEY) if name[:1] == kind}

    def plant(self, kind: bytes, how_many: int, age: int) -> None:
        """Records of others, so many seconds old."""
        seconds = self.client.time()[0] - age
        name = "~aaaaaaaaaaa.{}" if kind == LANES else "#{:>016}"
        records = {name.format(n): f"1|0123abcd|{seconds}" for n in range(1, how_many + 1)}
        self.client.hset(KEY, mapping=records)
        self._edit_version(lanes=len(self.records(LANES)), keys=len(self.records(KEYS)))

    def age(self, kind: bytes, seconds: int) -> None:
        """Makes the records there are so much older."""
        for name, value in self.client.hgetall(KEY).items():
            if name[:1] == kind:
                start, _, stamp = value.rpartition(b"|")
                self.client.hset(KEY, name, b"%s|%d" % (start, int(stamp) - seconds))

    def looked_through(self, seconds_ago: float) -> None:
        """As if the records had last been looked through so long ago."""
        now = self.client.time()
        self._edit_version(swept=now[0] * 1000 + now[1] // 1000 - int(seconds_ago * 1000))

    def _edit_version(self, **parts: int) -> None:
        names = ("version", "digest", "updated", "lanes", "keys", "swept")
        version = dict(zip(names, self.client.hget(KEY, "v").decode().split("|"), strict=True))
        self.client.hset(KEY, "v", "|".join(map(str, {**version, **parts}.values())))


@pytest.fixture
def planted(any_engine: Engine) -> Iterator[Planted]:
    with any_engine.connected() as client:
        yield Planted(client)


@pytest.mark.parametrize("kind, horizon", [(LANES, TEN_MINUTES), (KEYS, A_DAY)])
def test_old_records_are_forgotten(planted: Planted, kind: bytes, horizon: int) -> None:
    """Lanes after ten minutes, operation ids after a day: with the next change."""
    planted.plant(kind, 3, horizon)
    planted.looked_through(seconds_ago=A_MINUTE)

    planted.cart.add("apple")

    assert planted.records(kind) == (planted.records(LANES) if kind == LANES else set())
    assert len(planted.records(LANES)) == 1


@pytest.mark.parametrize("kind, horizon", [(LANES, TEN_MINUTES), (KEYS, A_DAY)])
def test_young_records_are_kept(planted: Planted, kind: bytes, horizon: int) -> None:
    """However many there are: forgetting by count would lose a retry."""
    planted.plant(kind, 300, horizon - 5)
    planted.looked_through(seconds_ago=A_MINUTE)

    planted.cart.add("apple")

    assert len(planted.records(kind)) == (301 if kind == LANES else 300)


def test_a_refused_merge_forgets_old_records_too(planted: Planted) -> None:
    """What it leaves is its own record, and a count that is right."""
    Cart("guest", planted.client).add("apple")
    planted.cart.begin_checkout()
    planted.plant(LANES, 3, TEN_MINUTES)
    planted.looked_through(seconds_ago=A_MINUTE)

    with pytest.raises(CartLockedError):
        planted.cart.merge_from("guest")

    assert len(planted.records(LANES)) == 1
    assert len(planted.records(MERGES)) == 1


def test_looking_through_is_rare(planted: Planted) -> None:
    """At most once a minute: a busy cart does not read all its fields with each change."""
    planted.plant(LANES, 3, 10 * TEN_MINUTES)
    planted.looked_through(seconds_ago=A_MINUTE - 5)

    planted.cart.add("apple")
    assert len(planted.records(LANES)) == 4

    planted.looked_through(seconds_ago=A_MINUTE)
    planted.cart.add("apple")
    assert len(planted.records(LANES)) == 1


def test_who_has_looked_through_says_so(planted: Planted) -> None:
    """Young records stay, and the next change of the same minute does not look again."""
    planted.plant(LANES, 3, 0)
    planted.looked_through(seconds_ago=A_MINUTE)
    planted.cart.add("apple")

    planted.age(LANES, 10 * TEN_MINUTES)
    planted.cart.add("apple")

    assert len(planted.records(LANES)) == 4


def test_old_and_young_are_distinguished(planted: Planted) -> None:
    """Each by its own age, thousands at a time."""
    planted.plant(KEYS, 900, A_DAY - 100)
    planted.age(KEYS, 200)
    planted.plant(KEYS, 20, 100)
    planted.looked_through(seconds_ago=A_MINUTE)

    planted.cart.add("apple", operation_id="x")

    assert len(planted.records(KEYS)) == 21


def test_the_512th_lane_is_the_last(planted: Planted) -> None:
    """One more young one: `too_many_operations`, and nothing changed."""
    planted.plant(LANES, 510, 5)
    acquire_lane(KEY)  # so that the next change comes from a lane that the cart does not know
    planted.cart.add("apple")
    acquire_lane(KEY)
    before = planted.client.hgetall(KEY)
    assert len(planted.records(LANES)) == 512

    with pytest.raises(TooManyOperationsError) as refused:
        planted.cart.add("apple")

    assert refused.value.code == "too_many_operations"
    assert planted.client.hgetall(KEY) == before


CHANGES = OF_AN_OPEN_CART | {"add another": ADD_ANOTHER, "set to zero": SET_TO_ZERO}
ADDING = ["AddItem", "SetQuantity", "PutLines", "add another"]
"""Those that put units into the cart. It holds one apple, and `SetQuantity` sets more."""
OTHERS = [name for name in CHANGES if name not in ADDING]


@pytest.mark.parametrize("kind, cap, horizon", [(LANES, 512, TEN_MINUTES), (KEYS, 1000, A_DAY)])
@pytest.mark.parametrize("name", ADDING)
def test_a_full_cart_stays_as_it_is(
    planted: Planted, name: str, kind: bytes, cap: int, horizon: int
) -> None:
    """Whatever is refused for want of room is refused before anything is written, and for how long.

    The oldest record decides, not one of another kind.
    """
    planted.plant(kind, cap, horizon - 100)
    acquire_lane(KEY)  # so that the change comes from a lane that the cart does not know
    before = planted.client.hgetall(KEY)

    with pytest.raises(TooManyOperationsError) as refused:
        planted.cart.perform(named(CHANGES[name], kind))

    assert 95 <= refused.value.retry_after <= 100
    assert planted.client.hgetall(KEY) == before


@pytest.mark.parametrize("kind, cap", [(LANES, 512), (KEYS, 1000)])
@pytest.mark.parametrize("name", OTHERS)
def test_what_ends_or_shrinks_needs_no_room(
    planted: Planted, name: str, kind: bytes, cap: int
) -> None:
    """It is remembered in places kept free, and so a repeat is recognised."""
    planted.plant(kind, 2 * cap - 1 - len(planted.records(kind)), 5)
    acquire_lane(KEY)  # so that the change comes from a lane that the cart does not know
    change = named(CHANGES[name], kind)
    before = len(planted.records(kind))

    planted.cart.perform(change)

    assert len(planted.records(kind)) == before + 1
    if kind == KEYS:
        assert planted.cart.perform(change).replayed


@pytest.mark.parametrize("kind, cap", [(LANES, 512), (KEYS, 1000)])
@pytest.mark.parametrize("name", OTHERS)
def test_beyond_every_place_it_is_not_remembered(
    planted: Planted, name: str, kind: bytes, cap: int
) -> None:
    """And still done. What is counted stays right, which is checked when the test ends."""
    planted.plant(kind, 2 * cap, 5)
    acquire_lane(KEY)  # so that the change comes from a lane that the cart does not know
    records = planted.records(kind)
    version = planted.cart.summary().version

    change = planted.cart.perform(named(CHANGES[name], kind))

    assert (change.version, change.replayed) == (version + 1, False)
    assert planted.records(kind) == records


def named(change: Change, kind: bytes) -> Change:
    return replace(change, operation_id="x", fingerprint="") if kind == KEYS else change


def test_a_known_lane_goes_on_in_a_full_cart(planted: Planted) -> None:
    """It needs no further record."""
    planted.plant(LANES, 511, 5)

    assert planted.cart.add("apple").summary.total_quantity == 2


@pytest.mark.parametrize("kind, cap, horizon", [(LANES, 512, TEN_MINUTES), (KEYS, 1000, A_DAY)])
def test_there_is_room_again(planted: Planted, kind: bytes, cap: int, horizon: int) -> None:
    """A full cart takes changes again as soon as records are old, not a minute later."""
    terms: dict[str, Any] = {"operation_id": "x"} if kind == KEYS else {}
    planted.plant(kind, cap, 5)
    acquire_lane(KEY)  # so that the next change comes from a lane that the cart does not know
    planted.looked_through(seconds_ago=2)
    with pytest.raises(TooManyOperationsError):
        planted.cart.add("apple", **terms)

    planted.age(kind, horizon)
    planted.looked_through(seconds_ago=2)

    assert planted.cart.add("apple", **terms).summary.total_quantity == 2
    assert len(planted.records(kind)) == 1


def test_full_of_ids_is_not_full(planted: Planted) -> None:
    """A thousand operation ids refuse the next id, not a change without one."""
    planted.plant(KEYS, 1000, 5)

    with pytest.raises(TooManyOperationsError):
        planted.cart.add("apple", operation_id="x")

    assert planted.cart.add("apple").summary.total_quantity == 2


def test_an_id_is_known_for_a_day(planted: Planted) -> None:
    """A day old, it names another change; a little younger, it still is the same."""
    planted.cart.add("apple", operation_id="x")
    planted.age(KEYS, A_DAY - 5)
    assert planted.cart.add("apple", operation_id="x").replayed

    planted.age(KEYS, 5)

    assert not planted.cart.add("apple", operation_id="x").replayed
    assert planted.cart.remove("apple", operation_id="y").summary.line_count == 0


def test_destroy_keeps_the_records(planted: Planted) -> None:
    """The trace of a destroyed cart is made of them; forgetting goes on there."""
    planted.plant(KEYS, 5, 100)
    planted.cart.destroy()

    assert len(planted.records(KEYS)) == 5
    assert not [name for name in planted.client.hkeys(KEY) if re.match(rb"^:", name)]


def test_clear_keeps_the_records(planted: Planted) -> None:
    """Only lines go."""
    planted.plant(KEYS, 5, 100)
    planted.cart.clear()

    assert len(planted.records(KEYS)) == 5


def test_the_memory_store_forgets_alike() -> None:
    """A thousand young ids are the most, and a day later there is room again."""
    now = [1_700_000_000_000]
    cart = Cart("c", MemoryStore(clock=lambda: now[0]))
    for number in range(1000):
        cart.add("apple", operation_id=f"id-{number}")
    with pytest.raises(TooManyOperationsError):
        cart.add("apple", operation_id="one-more")
    assert cart.add("apple").summary.total_quantity == 1001

    now[0] += A_DAY * 1000

    assert cart.add("apple", operation_id="one-more").summary.total_quantity == 1002
    assert not cart.add("apple", operation_id="id-0").replayed
