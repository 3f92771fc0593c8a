"""Amounts: read exactly, added exactly, rounded in one place so that the parts make the whole."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecart.errors import InvalidAmountError, InvalidCurrencyError
from ecart.money import (
    add_up,
    canonical_text,
    check_currency,
    currency_digits,
    display_text,
    from_parts,
    multiply,
    parse_amount,
    round_amount,
    round_parts,
    to_parts,
)

AMOUNTS = st.decimals(0, 10**15, places=9, allow_nan=False).filter(lambda amount: amount < 10**15)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "CLF"])
ROUNDINGS = st.sampled_from([ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, ROUND_DOWN])


@pytest.mark.parametrize(
    "value, text",
    [
        ("1.50", "1.5"),
        ("0", "0"),
        ("0.000000000", "0"),
        ("100", "100"),
        ("007", "7"),
        (10.1, "10.1"),
        (0.1 + 0.2, None),
        (1e-9, "0.000000001"),
        (1e14, "100000000000000"),
        (5, "5"),
        (Decimal("1E+2"), "100"),
        (Decimal("1.10000000000000000000"), "1.1"),
        (Decimal("0E-20"), "0"),
        (-0.0, None),
        (Decimal("-0"), None),
        ("-0", None),
        ("999999999999999.999999999", "999999999999999.999999999"),
        (Decimal("999999999999999.9999999999"), None),
    ],
)
def test_amounts_have_one_text(value: Any, text: str | None) -> None:
    """However it was written; what cannot be written in nine decimals is refused, not rounded."""
    if text is None:
        with pytest.raises(InvalidAmountError):
            parse_amount(value)
    else:
        assert canonical_text(parse_amount(value)) == text


@given(AMOUNTS)
def test_an_amount_survives_its_text(amount: Decimal) -> None:
    """Text, parts and back: nothing is lost."""
    read = parse_amount(canonical_text(parse_amount(amount)))

    assert read == amount
    assert from_parts(*to_parts(read)) == amount
    assert str(from_parts(*to_parts(read))) == str(read) or amount < 1


@given(AMOUNTS, st.integers(1, 1_000_000))
def test_products_are_exact(amount: Decimal, quantity: int) -> None:
    """As fractions are."""
    assert Fraction(multiply(amount, quantity)) == Fraction(amount) * quantity


@given(st.lists(AMOUNTS, max_size=50))
def test_sums_are_exact(amounts: list[Decimal]) -> None:
    """As fractions are."""
    assert Fraction(add_up(amounts)) == sum(map(Fraction, amounts))


@given(st.lists(AMOUNTS, max_size=20), CURRENCIES, ROUNDINGS)
def test_the_parts_make_the_whole(parts: list[Decimal], currency: str, rounding: str) -> None:
    """Rounded parts add up to the rounded sum, and none is off by a whole minor unit."""
    rounded = round_parts(parts, currency, rounding)

    unit = Decimal(1).scaleb(-currency_digits(currency))
    assert add_up(rounded) == round_amount(add_up(parts), currency, rounding)
    assert all(abs(Fraction(a) - Fraction(b)) < Fraction(unit) for a, b in
               zip(rounded, parts, strict=True))  # fmt: skip
    assert all(part == part.quantize(unit) for part in rounded)


def test_rounding_is_half_even_unless_told() -> None:
    """The banker's rounding, and any other of `decimal`."""
    assert round_amount(Decimal("0.125"), "USD") == Decimal("0.12")
    assert round_amount(Decimal("0.135"), "USD") == Decimal("0.14")
    assert round_amount(Decimal("0.125"), "USD", ROUND_HALF_UP) == Decimal("0.13")
    assert round_amount(Decimal("1234.5"), "JPY") == Decimal(1234)


def test_who_lost_most_gets_the_missing_unit() -> None:
    """Largest remainder first; earlier parts first among equals."""
    parts = [Decimal(text) for text in ("0.331", "0.334", "0.334", "0.001")]

    assert round_parts(parts, "USD") == tuple(map(Decimal, ("0.33", "0.34", "0.33", "0.00")))
    assert round_parts([], "USD") == ()


@pytest.mark.parametrize(
    "amount, currency, text",
    [("19.9", "USD", "19.90"), ("0.005", "USD", "0.005"), ("300", "JPY", "300"),
     ("1", "KWD", "1.000"), ("0.5", "JPY", "0.5")],
)  # fmt: skip
def test_amounts_are_shown_with_the_currencys_digits(amount: str, currency: str, text: str) -> None:
    """At least those, and never fewer than the amount has."""
    assert display_text(Decimal(amount), currency) == text


@pytest.mark.parametrize(
    "currency, digits", [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("HUF", 2)]
)
def test_digits_are_those_of_iso_4217(currency: str, digits: int) -> None:
    """Of the minor unit."""
    assert currency_digits(currency) == digits
    assert check_currency(currency) == currency


@pytest.mark.parametrize("code", ["usd", "XXX", "", "US", "EURO", None, 5, "DEM", "BTC", "ＵＳＤ"])
def test_other_codes_are_refused(code: object) -> None:
    """Only what is in use."""
    with pytest.raises(InvalidCurrencyError):
        check_currency(code)
