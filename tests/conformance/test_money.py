"""Amounts in carts: exact to the billionth, one currency a cart, refused beyond 2^53."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import pytest

from ecart import Rules
from ecart.errors import AmountOutOfRangeError, CurrencyMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart

LARGE = Rules(max_quantity=1_000_000)


@pytest.mark.parametrize(
    "price, quantity, subtotal",
    [
        (0.1, 3, "0.3"),
        ("8.1", 3, "24.3"),
        (8.1, 3, "24.3"),
        (Decimal("0.1"), 7, "0.7"),
        (10, 4, "40"),
        ("0.000000001", 9_999, "0.000009999"),
        ("0.999999999", 9_999, "9998.999990001"),
        ("123456.123456789", 9_999, "1234437778.444433211"),
        ("0", 5, "0"),
        ("1.10", 2, "2.2"),
        (Decimal("1E+2"), 2, "200"),
        ("000001", 1, "1"),
    ],
)
def test_sums_are_exact(cart: Cart, price: object, quantity: int, subtotal: str) -> None:
    """The subtotal is what one calculates on paper."""
    summary = cart.add("apple", quantity, unit_price=price).summary  # type: ignore[arg-type]

    assert summary.subtotal == Decimal(subtotal)
    assert cart.get().subtotal == Decimal(subtotal)
    assert sum(line.subtotal or 0 for line in cart.get().lines) == Decimal(subtotal)


def test_sums_of_many_lines_are_exact(cart: Cart) -> None:
    """A tenth, added to a hundred lines, taken from half of them, leaves five."""
    for number in range(100):
        cart.add(f"sku-{number}", unit_price=0.1)
    for number in range(50):
        cart.remove(f"sku-{number}")

    assert cart.summary().subtotal == Decimal(5)


def test_billionths_carry_both_ways(cart: Cart) -> None:
    """Fractions become units as they add up, and units become fractions again."""
    cart.add("apple", 1, unit_price="0.999999999")
    cart.add("pear", 1, unit_price="0.000000001")
    assert cart.summary().subtotal == Decimal(1)

    cart.remove("pear")
    assert cart.summary().subtotal == Decimal("0.999999999")

    cart.set_quantity("apple", 1000)
    assert cart.summary().subtotal == Decimal("999.999999")

    cart.add("apple", unit_price="0.000000001")
    assert cart.summary().subtotal == Decimal("0.000001001")


def test_the_callers_decimal_context_changes_nothing(make_cart: Callable[..., Cart]) -> None:
    """Sums are exact also where the caller computes with three digits."""
    with localcontext(prec=3):
        make_cart().add("apple", 1001, unit_price="123456.789")
        summary = make_cart().summary()

    assert summary.subtotal == Decimal("123580245.789")


def test_sums_are_exact_up_to_the_limit(make_cart: Callable[..., Cart]) -> None:
    """2^53 - 1 units and all but a billionth of one: the largest subtotal, to the last digit."""
    cart = make_cart(rules=LARGE)
    for number in range(9):
        cart.add(f"a{number}", unit_price="999999999999999.999999999")
    cart.add("b", unit_price="7199254740992.000000008")
    assert cart.summary().subtotal == Decimal("9007199254740991.999999999")

    with pytest.raises(AmountOutOfRangeError):
        cart.add("c", unit_price="0.000000001")

    cart.remove("b")
    assert cart.summary().subtotal == Decimal("8999999999999999.999999991")


@pytest.mark.parametrize("quantity", [10, 11, 1_000_000])
def test_beyond_the_limit_is_refused(make_cart: Callable[..., Cart], quantity: int) -> None:
    """A subtotal of 2^53 units or more: `amount_out_of_range`, and nothing changed."""
    cart = make_cart(rules=LARGE)
    before = cart.add("apple", 9, unit_price="999999999999999").summary

    with pytest.raises(AmountOutOfRangeError) as refused:
        cart.set_quantity("apple", quantity)
    with pytest.raises(AmountOutOfRangeError):
        cart.add("apple", quantity=quantity - 9)
    with pytest.raises(AmountOutOfRangeError):
        cart.add("pear", quantity, unit_price="999999999999999")

    assert refused.value.code == "amount_out_of_range"
    assert cart.summary() == before


def test_an_empty_cart_takes_the_currency_of_its_first_price(
    make_cart: Callable[..., Cart],
) -> None:
    """Also one that was emptied: a cart without lines is bound to no currency."""
    make_cart().add("apple", unit_price="1")
    make_cart().clear()

    summary = make_cart(currency="EUR").add("pear", unit_price="1").summary

    assert summary.currency == "EUR"
    assert make_cart(currency="JPY").get().currency == "EUR"


def test_a_cart_that_does_not_exist_is_in_the_readers_currency(
    make_cart: Callable[..., Cart],
) -> None:
    """Zero is zero in any currency."""
    assert make_cart(currency="EUR").summary().currency == "EUR"


def test_another_currency_is_refused(make_cart: Callable[..., Cart]) -> None:
    """One cart, one currency: `currency_mismatch` names both."""
    before = make_cart(currency="EUR").add("apple", unit_price="1").summary

    with pytest.raises(CurrencyMismatchError) as refused:
        make_cart(currency="USD").add("pear", unit_price="1")

    assert refused.value.code == "currency_mismatch"
    assert (refused.value.cart_currency, refused.value.currency) == ("EUR", "USD")
    assert make_cart().summary() == before


def test_without_a_price_the_currency_does_not_matter(make_cart: Callable[..., Cart]) -> None:
    """More units of a line, or a line without price, may come from any handle."""
    make_cart(currency="EUR").add("apple", unit_price="1.25")

    make_cart(currency="USD").add("apple")
    make_cart(currency="USD").add("pear")

    summary = make_cart().summary()
    assert (summary.currency, summary.subtotal, summary.line_count) == ("EUR", Decimal("2.5"), 2)


def test_totals_add_up(make_cart: Callable[..., Cart]) -> None:
    """Rounded to the currency, the lines' subtotals are the total; lines without price are out."""
    cart = make_cart(currency="EUR")
    for sku in ("a", "b", "c"):
        cart.add(sku, unit_price="0.335")
    cart.add("d")

    totals = cart.get().totals()

    assert (totals.currency, totals.subtotal) == ("EUR", Decimal("1.00"))
    assert totals.line_subtotals == {
        "a": Decimal("0.34"),
        "b": Decimal("0.33"),
        "c": Decimal("0.33"),
    }
