"""Check-out: one hand-over at a time, nothing ordered that was not seen, nothing later lost."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from ecart.errors import (
    CartEmptyError,
    CartLockedError,
    CheckoutNotOpenError,
    IdempotencyKeyReusedError,
    InvalidTtlError,
    VersionConflictError,
)
from ecart.operations import BeginCheckout, Change
from operation_examples import ADD_ANOTHER, OF_AN_OPEN_CART

if TYPE_CHECKING:
    from ecart import Cart


def units(cart: Cart) -> dict[str, int]:
    return {line.line_id: line.quantity for line in cart.get().lines}


def test_what_was_ordered_leaves_the_cart(cart: Cart) -> None:
    """The hand-over is the cart as it was; completing empties it and opens it again."""
    cart.add("apple", 3, unit_price="0.50")
    cart.add("pear", unit_price="1")
    seen = cart.get()

    checkout = cart.begin_checkout()
    assert checkout.cart.lines == seen.lines
    assert checkout.cart.state == cart.summary().state == "locked"
    assert cart.summary().lock is not None

    done = cart.complete_checkout(checkout.checkout_id, "order-1")
    assert (done.summary.line_count, done.summary.subtotal, done.summary.state) == (0, 0, "open")
    assert cart.add("plum").summary.line_count == 1


CHANGES = OF_AN_OPEN_CART | {
    "add another": ADD_ANOTHER,
    "begin again": BeginCheckout(checkout_id="other", hold_ms=1000),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_held_cart_is_not_changed(cart: Cart, change: Change) -> None:
    """Every change is `cart_locked` until check-out ends; then it is not."""
    cart.add("apple", quantity=2)
    checkout = cart.begin_checkout()
    before = cart.get()

    with pytest.raises(CartLockedError) as refused:
        cart.perform(change)
    assert refused.value.code == "cart_locked"
    assert cart.get() == before

    cart.release_checkout(checkout.checkout_id)
    cart.perform(change)


def test_a_held_cart_can_be_erased(cart: Cart) -> None:
    """Whoever asks to be forgotten need not wait for an order."""
    cart.add("apple")
    cart.begin_checkout()

    cart.purge()

    assert not cart.get().exists


def test_additions_can_wait_for_the_next_order(cart: Cart) -> None:
    """What is added meanwhile stays, at its own price; only what was seen is ordered."""
    cart.add("apple", 3, unit_price="0.50")
    cart.add("pear", 2, unit_price="1")
    checkout = cart.begin_checkout(keep_additions=True)

    cart.add("apple", 4, unit_price="0.60")
    cart.add("apple", quantity=1)
    cart.add("plum", 5, unit_price="2")
    with pytest.raises(CartLockedError):
        cart.remove("pear")
    assert {line.line_id: line.quantity for line in checkout.cart.lines} == {"apple": 3, "pear": 2}

    done = cart.complete_checkout(checkout.checkout_id, "o")
    assert units(cart) == {"apple": 5, "plum": 5}
    assert done.summary.subtotal == 13
    assert cart.get().ordered == {}


def test_released_additions_are_just_there(cart: Cart) -> None:
    """Releasing keeps everything."""
    cart.add("apple", quantity=3)
    checkout = cart.begin_checkout(keep_additions=True)
    cart.add("apple", quantity=4)

    cart.release_checkout(checkout.checkout_id)

    assert units(cart) == {"apple": 7}
    assert cart.get().ordered == {}


def test_completing_twice_is_completing_once(cart: Cart) -> None:
    """A repeat is known by the check-out's id, also when the cart has moved on."""
    cart.add("apple")
    checkout = cart.begin_checkout()
    assert not cart.complete_checkout(checkout.checkout_id, "o").replayed
    cart.add("pear")

    assert cart.complete_checkout(checkout.checkout_id, "o").replayed
    assert units(cart) == {"pear": 1}
    with pytest.raises(IdempotencyKeyReusedError):
        cart.complete_checkout(checkout.checkout_id, "another order")


def test_releasing_twice_is_releasing_once(cart: Cart) -> None:
    """A late repeat does not open the next check-out."""
    cart.add("apple")
    first = cart.begin_checkout()
    cart.release_checkout(first.checkout_id)
    second = cart.begin_checkout()

    assert cart.release_checkout(first.checkout_id).replayed
    assert cart.summary().state == "locked"
    cart.complete_checkout(second.checkout_id, "o")


@pytest.mark.parametrize("end", ["complete", "release"])
def test_only_the_check_out_that_holds_it(cart: Cart, end: str) -> None:
    """An id that does not hold the cart is `checkout_not_open`, on any cart."""

    def attempt(checkout_id: str) -> None:
        if end == "complete":
            cart.complete_checkout(checkout_id, "o")
        else:
            cart.release_checkout(checkout_id)

    with pytest.raises(CheckoutNotOpenError):
        attempt("nobody")
    cart.add("apple")
    checkout = cart.begin_checkout()
    with pytest.raises(CheckoutNotOpenError):
        attempt("nobody")
    assert units(cart) == {"apple": 1}
    cart.release_checkout(checkout.checkout_id)
    if end == "complete":
        with pytest.raises(CheckoutNotOpenError):
            attempt(checkout.checkout_id)


def test_nothing_is_ordered_that_was_not_seen(cart: Cart) -> None:
    """With the version on the page, a cart that has moved on is not handed over."""
    seen = cart.add("apple").version
    cart.add("pear")

    with pytest.raises(VersionConflictError):
        cart.begin_checkout(seen)
    assert cart.summary().state == "open"
    assert cart.begin_checkout(seen + 1).cart.line_count == 2


def test_an_empty_cart_is_not_handed_over(cart: Cart) -> None:
    """Neither one that never was, nor one that was emptied, nor one that is gone."""
    with pytest.raises(CartEmptyError):
        cart.begin_checkout()
    cart.add("apple")
    cart.clear()
    with pytest.raises(CartEmptyError):
        cart.begin_checkout()
    cart.destroy()
    with pytest.raises(CartEmptyError):
        cart.begin_checkout()


def test_time_that_ran_out_opens_the_cart(cart: Cart) -> None:
    """The next change opens it; the check-out that held it is over."""
    cart.add("apple")
    checkout = cart.begin_checkout(hold=timedelta(seconds=1), keep_additions=True)
    cart.add("kept")
    time.sleep(1.05)

    cart.add("pear")

    assert cart.summary().state == "open"
    assert cart.get().ordered == {}
    with pytest.raises(CheckoutNotOpenError):
        cart.complete_checkout(checkout.checkout_id, "o")
    assert units(cart) == {"apple": 1, "kept": 1, "pear": 1}


def test_a_late_order_counts_while_nobody_has_come(cart: Cart) -> None:
    """Payment took longer than the deadline, the cart is as it was handed over: it is ordered."""
    cart.add("apple")
    checkout = cart.begin_checkout(hold=1)
    time.sleep(1.05)

    cart.complete_checkout(checkout.checkout_id, "o")

    assert units(cart) == {}


def test_a_repeated_begin_hands_over_the_same(cart: Cart) -> None:
    """By its operation id, while it holds; after it ended a repeat says so."""
    cart.add("apple")
    first = cart.begin_checkout(operation_id="page-1")

    again = cart.begin_checkout(operation_id="page-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert again == replace(first, replayed=True)
    cart.complete_checkout(first.checkout_id, "o")
    with pytest.raises(CheckoutNotOpenError):
        cart.begin_checkout(operation_id="page-1")


@pytest.mark.parametrize("hold", [0, -1, None, True, 1.5, 366 * 24 * 3600])
def test_odd_holds_are_refused(cart: Cart, hold: Any) -> None:
    """A check-out holds the cart for 1 second to 365 days."""
    cart.add("apple")

    with pytest.raises(InvalidTtlError):
        cart.begin_checkout(hold=hold)
    assert cart.summary().state == "open"


def test_a_repeated_begin_hands_over_what_was_seen(cart: Cart) -> None:
    """What was added since is not part of it: it is not taken out either."""
    cart.add("apple", 3, unit_price="0.50")
    first = cart.begin_checkout(keep_additions=True, operation_id="page-1")
    cart.add("apple", quantity=2)
    cart.add("pear", unit_price="1")

    again = cart.begin_checkout(keep_additions=True, operation_id="page-1")

    assert (again.checkout_id, again.cart.lines) == (first.checkout_id, first.cart.lines)
    assert (again.cart.line_count, again.cart.subtotal) == (1, first.cart.subtotal)
    cart.complete_checkout(again.checkout_id, "o")
    assert units(cart) == {"apple": 2, "pear": 1}


def test_a_late_begin_gets_nobody_elses_check_out(cart: Cart) -> None:
    """Its own has ended; the one that holds the cart now was handed to somebody else."""
    cart.add("apple")
    first = cart.begin_checkout(operation_id="page-1")
    cart.release_checkout(first.checkout_id)
    cart.begin_checkout(operation_id="page-2")

    with pytest.raises(CheckoutNotOpenError):
        cart.begin_checkout(operation_id="page-1")
