"""A cart's life: made by the first change, renewed by each, ended, and made again."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ecart import Rules
from ecart.errors import InvalidTtlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart


def test_a_cart_lives_a_week_after_its_last_change(cart: Cart) -> None:
    """The default time to live is 604,800 s, and the snapshot says when it ends."""
    snapshot = cart.add("apple").summary

    assert 604_790 <= (cart.ttl() or 0) <= 604_800
    assert snapshot.created_at is not None
    assert snapshot.created_at == snapshot.updated_at
    assert abs(snapshot.updated_ms / 1000 - time.time()) < 5
    assert snapshot.expires_at == snapshot.updated_at + timedelta(days=7)


@pytest.mark.parametrize(
    "ttl, seconds",
    [(1, 1), (90, 90), (31_536_000, 31_536_000), (timedelta(days=2), 172_800)],
)
def test_the_handle_says_how_long(
    make_cart: Callable[..., Cart], ttl: int | timedelta, seconds: int
) -> None:
    """Seconds or a timedelta, from 1 second to 365 days."""
    cart = make_cart(ttl=ttl)

    assert cart.add("apple").summary.ttl_ms == seconds * 1000
    assert seconds - 1 <= (cart.ttl() or 0) <= seconds


def test_parts_of_a_second_count(make_cart: Callable[..., Cart]) -> None:
    """A timedelta is taken to the millisecond; `ttl()` rounds up."""
    cart = make_cart(ttl=timedelta(seconds=90, milliseconds=700))

    assert cart.add("apple").summary.ttl_ms == 90_700
    assert cart.ttl() == 91


def test_every_change_renews(make_cart: Callable[..., Cart]) -> None:
    """The time to live of the handle that changes the cart is the cart's, from then on."""
    make_cart(ttl=100).add("apple")

    make_cart(ttl=5000).set_quantity("apple", 2)

    assert 4990 <= (make_cart().ttl() or 0) <= 5000


def test_reading_renews_nothing(make_cart: Callable[..., Cart]) -> None:
    """However a cart is read, it stays as it is."""
    before = make_cart(ttl=100).add("apple").summary

    reader = make_cart(ttl=9000)
    reads = (reader.get(), reader.line("apple"), reader.contains("apple"), reader.ttl())

    assert len(reads) == 4
    assert reader.summary() == before
    assert (reader.ttl() or 0) <= 100


def test_a_cart_expires(make_cart: Callable[..., Cart]) -> None:
    """After its time the cart does not exist, and the next one has another epoch."""
    cart = make_cart(ttl=1)
    first = cart.add("apple").summary

    time.sleep(1.1)

    assert cart.get().lines == ()
    assert cart.ttl() == 0
    second = cart.add("pear").summary
    assert (second.version, second.line_count) == (1, 1)
    assert second.epoch != first.epoch


@pytest.mark.parametrize("made_with", [None, 100])
def test_never(make_cart: Callable[..., Cart], made_with: int | None) -> None:
    """None is for ever: chosen for a handle or for one cart."""
    cart = make_cart(ttl=made_with)
    cart.add("apple")
    if made_with:
        cart.set_ttl(None)

    assert cart.ttl() is None
    assert cart.summary().ttl_ms == 0
    assert cart.summary().expires_at is None


def test_never_can_be_taken_back(make_cart: Callable[..., Cart]) -> None:
    """A change with a time to live ends eternity."""
    make_cart(ttl=None).add("apple")

    make_cart(ttl=100).add("apple")

    assert 99 <= (make_cart().ttl() or 0) <= 100


def test_a_cart_can_have_a_life_of_its_own(make_cart: Callable[..., Cart]) -> None:
    """What `set_ttl` chose is kept by later changes through any handle."""
    cart = make_cart()
    cart.add("apple")

    change = cart.set_ttl(timedelta(hours=1))
    make_cart(ttl=50).add("apple")

    assert change.version == 2
    summary = cart.summary()
    assert (summary.ttl_ms, summary.ttl_pinned) == (3_600_000, True)
    assert 3590 <= (cart.ttl() or 0) <= 3600


def test_set_ttl_makes_no_cart(cart: Cart) -> None:
    """There is nothing to give a life to."""
    assert not cart.set_ttl(100).summary.exists
    assert cart.ttl() == 0


def test_a_shorter_life_is_taken(make_cart: Callable[..., Cart]) -> None:
    """`set_ttl` may also shorten."""
    cart = make_cart(ttl=None)
    cart.add("apple")

    cart.set_ttl(10)

    assert cart.ttl() == 10


@pytest.mark.parametrize(
    "ttl",
    [0, -1, 31_536_001, 1.5, True, "60", timedelta(0), timedelta(days=366), float("nan"), 2**63],
)
def test_odd_times_to_live_are_refused(make_cart: Callable[..., Cart], ttl: object) -> None:
    """1 second to 365 days, whole seconds or a timedelta: `invalid_ttl`."""
    cart = make_cart()
    cart.add("apple")

    with pytest.raises(InvalidTtlError) as refused:
        cart.set_ttl(ttl)  # type: ignore[arg-type]
    with pytest.raises(InvalidTtlError):
        make_cart(ttl=ttl)

    assert refused.value.code == "invalid_ttl"
    assert cart.summary().version == 1


def test_destroy_ends_the_cart(cart: Cart) -> None:
    """After `destroy` the cart reads as one that does not exist."""
    cart.add("apple", 3, unit_price="1.5")
    cart.add("pear")

    change = cart.destroy()

    assert (change.version, change.summary.exists, change.summary.state) == (3, False, "gone")
    snapshot = cart.get()
    assert (snapshot.lines, snapshot.line_count, snapshot.subtotal) == ((), 0, 0)
    assert (snapshot.exists, cart.ttl(), cart.contains("apple")) == (False, 0, False)


def test_a_cart_is_born_again(cart: Cart) -> None:
    """The next add makes another cart under the id: new epoch, versions go on, order from 1."""
    first = cart.add("apple").summary
    cart.destroy()
    time.sleep(0.005)

    change = cart.add("pear", unit_price="2")

    assert change.version == 3
    assert change.summary.exists
    assert change.summary.epoch not in ("", first.epoch)
    assert change.summary.created_ms == change.summary.updated_ms > first.created_ms
    assert [(line.sku, line.position) for line in cart.get().lines] == [("pear", 1)]


def test_a_cart_born_again_inherits_nothing(make_cart: Callable[..., Cart]) -> None:
    """Neither currency nor a life of its own nor lines pass to the next cart."""
    euros = make_cart(currency="EUR")
    euros.add("apple", unit_price="1")
    euros.set_ttl(None)
    euros.destroy()

    summary = make_cart(ttl=70).add("pear", unit_price="1").summary

    assert (summary.currency, summary.ttl_pinned, summary.ttl_ms) == ("USD", False, 70_000)
    assert (summary.line_count, summary.subtotal) == (1, 1)


@pytest.mark.parametrize("times", [1, 2])
def test_destroying_what_is_not_there_is_no_error(cart: Cart, times: int) -> None:
    """Neither for a cart that never was nor for one that is gone."""
    if times == 2:
        cart.add("apple")
        cart.destroy()

    change = cart.destroy()

    assert not change.summary.exists
    assert change.version == (2 if times == 2 else 0)


def test_what_is_gone_has_no_lines_to_change(cart: Cart) -> None:
    """`clear` and `set_ttl` leave a destroyed cart as it is."""
    cart.add("apple")
    version = cart.destroy().version

    assert cart.clear().version == version
    assert cart.set_ttl(5).version == version
    assert not cart.get().exists


def test_purge_leaves_nothing(cart: Cart) -> None:
    """A purged cart is one that never was: no version, no epoch, no record."""
    cart.add("apple", operation_id="order-1")

    change = cart.purge()

    assert (change.version, change.summary.epoch, change.summary.exists) == (0, "", False)
    again = cart.add("apple", operation_id="order-1")
    assert (again.version, again.replayed) == (1, False)


def test_purge_of_what_is_gone(cart: Cart) -> None:
    """The trace that `destroy` keeps is erased too."""
    cart.add("apple")
    cart.destroy()

    assert cart.purge().version == 0
    assert cart.get().version == 0


def test_purge_of_nothing(cart: Cart) -> None:
    """Nothing is there, and nothing is made."""
    assert cart.purge().version == 0
    assert not cart.get().exists


def test_a_handle_holds_no_state(make_cart: Callable[..., Cart]) -> None:
    """Two handles on one cart see the same; one outlives the other."""
    first, second = make_cart(), make_cart()
    first.add("apple")
    del first

    assert second.contains("apple")
    assert second.add("apple").version == 2


def test_rules_replace_ttl_and_currency(make_cart: Callable[..., Cart]) -> None:
    """`rules=` sets everything at once."""
    cart = make_cart(rules=Rules(ttl_ms=5_000, currency="JPY"))

    summary = cart.add("apple", unit_price=100).summary

    assert (summary.ttl_ms, summary.currency) == (5_000, "JPY")
