"""Merge and copy: items are conserved, once, by policy, and what happened is told."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Rules
from ecart.errors import (
    CartLockedError,
    CartMergedError,
    CurrencyMismatchError,
    InvalidCartIdError,
    InvalidPolicyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart


@pytest.fixture
def guest(make_cart: Callable[..., Cart]) -> Cart:
    return make_cart("guest")


@pytest.fixture
def user(make_cart: Callable[..., Cart]) -> Cart:
    return make_cart("user")


def units(cart: Cart) -> dict[str, int]:
    return {line.line_id: line.quantity for line in cart.get().lines}


def test_a_guests_cart_moves_into_the_users(guest: Cart, user: Cart) -> None:
    """The units add up, the lines keep their order, the guest's cart is empty and ended."""
    user.add("apple", 2, unit_price="0.50")
    guest.add("pear", 1, unit_price="1", title="Pear", details={"gift": True})
    guest.add("apple", 3, unit_price="0.60")

    report = user.merge_from("guest")

    assert (report.added, report.raised, report.clamped, report.left) == (1, 1, 0, 0)
    apple, pear = user.get().lines
    assert (apple.quantity, apple.unit_price) == (5, Decimal("0.5"))
    assert (pear.quantity, pear.title, pear.details) == (1, "Pear", {"gift": True})
    assert user.summary().subtotal == Decimal("3.50")
    assert guest.get().lines == ()
    assert guest.summary().state == "merged"


@pytest.mark.parametrize(
    ("policy", "apple", "price", "counts"),
    [
        ("sum", 5, "0.5", (1, 1, 0, 0)),
        ("max", 3, "0.5", (1, 1, 0, 0)),
        ("keep_target", 2, "0.5", (1, 0, 0, 1)),
        ("replace", 3, "0.6", (1, 1, 0, 0)),
    ],
)
def test_policies(
    guest: Cart, user: Cart, policy: Any, apple: int, price: str, counts: tuple[int, ...]
) -> None:
    """What becomes of a line that both have; a line of one is kept by every policy."""
    user.add("apple", 2, unit_price="0.50")
    user.add("mine")
    guest.add("apple", 3, unit_price="0.60")
    guest.add("theirs")

    report = user.merge_from("guest", policy)

    assert units(user) == {"apple": apple, "mine": 1, "theirs": 1}
    assert user.get().line("apple").unit_price == Decimal(price)
    assert (report.added, report.raised, report.clamped, report.left) == counts


def test_max_leaves_the_smaller_number(guest: Cart, user: Cart) -> None:
    """A target that has as many already stays as it is."""
    user.add("apple", quantity=5)
    guest.add("apple", quantity=5)

    assert user.merge_from("guest", "max").left == 1
    assert units(user) == {"apple": 5}


def test_limits_clamp_and_leave(make_cart: Callable[..., Cart]) -> None:
    """Units beyond the limit are cut, lines without room stay out, and both are told."""
    small = make_cart("user", rules=Rules(max_quantity=4, max_lines=2))
    small.add("apple", quantity=3)
    guest = make_cart("guest")
    guest.add("apple", quantity=3)
    guest.add("pear", quantity=9)
    guest.add("plum")

    report = small.merge_from("guest")

    assert units(small) == {"apple": 4, "pear": 4}
    assert (report.added, report.raised, report.clamped, report.left) == (1, 1, 2, 1)


def test_merging_twice_is_merging_once(guest: Cart, user: Cart) -> None:
    """A repeat is told the same, and moves nothing; two tabs log in at once."""
    guest.add("apple", quantity=3)
    first = user.merge_from("guest")
    user.remove("apple")

    again = user.merge_from("guest")

    assert again.replayed
    assert (again.merge_id, again.added) == (first.merge_id, 1)
    assert units(user) == {}


def test_a_merged_cart_refuses_and_names_the_other(guest: Cart, user: Cart) -> None:
    """Whoever still has the old id is told where its lines are; a third cart gets nothing."""
    guest.add("apple")
    user.merge_from("guest")

    with pytest.raises(CartMergedError) as refused:
        guest.add("pear")
    assert refused.value.target_id == "user"
    assert guest.ttl() == 0
    assert guest.line("apple") is None


def test_a_third_cart_gets_nothing(make_cart: Callable[..., Cart], guest: Cart) -> None:
    """A cart is merged into one other."""
    guest.add("apple")
    make_cart("first").merge_from("guest")

    with pytest.raises(CartMergedError):
        make_cart("second").merge_from("guest")
    assert units(make_cart("second")) == {}


def test_nothing_comes_of_nothing(guest: Cart, user: Cart) -> None:
    """An empty source, or the cart itself: nothing is changed, not even the version."""
    before = user.add("apple").version

    assert user.merge_from("guest").added == 0
    assert user.merge_from("user").added == 0
    assert user.copy_to("user") is None
    assert (user.summary().version, user.summary().state) == (before, "open")
    assert guest.add("pear").version == 1


def test_another_currency_is_refused_and_nothing_lost(
    make_cart: Callable[..., Cart], user: Cart
) -> None:
    """Both stay as they are, and open."""
    euro = make_cart("euro", currency="EUR")
    euro.add("pear", unit_price="1")
    user.add("apple", unit_price="1")

    for _ in range(2):
        with pytest.raises(CurrencyMismatchError):
            user.merge_from("euro")
    assert (units(user), units(euro)) == ({"apple": 1}, {"pear": 1})
    assert euro.add("plum").summary.state == "open"


def test_an_empty_target_takes_the_currency(make_cart: Callable[..., Cart], user: Cart) -> None:
    """A new user's cart is in the guest's currency."""
    make_cart("euro", currency="EUR").add("pear", unit_price="1")

    user.merge_from("euro")

    assert user.summary().currency == "EUR"


@pytest.mark.parametrize("held", ["guest", "user"])
def test_a_held_cart_is_not_merged(guest: Cart, user: Cart, held: str) -> None:
    """While a check-out holds either, both stay as they are; after it they merge."""
    guest.add("pear")
    user.add("apple")
    checkout = (guest if held == "guest" else user).begin_checkout()

    with pytest.raises(CartLockedError):
        user.merge_from("guest")
    assert (units(user), units(guest)) == ({"apple": 1}, {"pear": 1})

    (guest if held == "guest" else user).release_checkout(checkout.checkout_id)
    user.merge_from("guest")
    assert units(user) == {"apple": 1, "pear": 1}


@pytest.mark.parametrize("held", ["guest", "user"])
def test_a_check_out_whose_time_ran_out_keeps_nobody_from_merging(
    guest: Cart, user: Cart, held: str
) -> None:
    """The cart is open then, whoever finds that out."""
    guest.add("pear")
    user.add("apple")
    (guest if held == "guest" else user).begin_checkout(hold=1)
    time.sleep(1.05)

    report = user.merge_from("guest")

    assert report.added == 1
    assert (units(user), units(guest)) == ({"apple": 1, "pear": 1}, {})


def test_what_would_not_add_up_exactly_is_left(guest: Cart, user: Cart) -> None:
    """A line that would carry the subtotal past 2^53 stays out."""
    user.add("gold", 9, unit_price="999999999999999")
    guest.add("silver", unit_price="999999999999999")
    guest.add("apple", unit_price="1")

    report = user.merge_from("guest")

    assert (report.added, report.left) == (1, 1)
    assert units(user) == {"gold": 9, "apple": 1}


def test_a_copy_is_put_over(guest: Cart, user: Cart) -> None:
    """Lines as they are, over those of the target; its others stay, and so does the source."""
    guest.add("apple", 3, unit_price="0.60")
    user.add("apple", 2, unit_price="0.50")
    user.add("pear")

    guest.copy_to("user")

    assert units(user) == {"apple": 3, "pear": 1}
    assert units(guest) == {"apple": 3}


@pytest.mark.parametrize("bad", ["", "x" * 257, None, True, b"guest", "\ud800"])
def test_odd_ids_are_refused(user: Cart, bad: Any) -> None:
    """As everywhere: `invalid_cart_id`."""
    for attempt in (user.merge_from, user.copy_to):
        with pytest.raises(InvalidCartIdError):
            attempt(bad)


@pytest.mark.parametrize("bad", ["", "SUM", "merge|x", None, 1])
def test_odd_policies_are_refused(guest: Cart, user: Cart, bad: Any) -> None:
    """`invalid_policy`, and nothing has begun."""
    guest.add("apple")

    for source in ("guest", "user"):
        with pytest.raises(InvalidPolicyError):
            user.merge_from(source, bad)
    assert guest.summary().state == "open"
