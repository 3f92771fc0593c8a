"""Bad input: a clear error with its code, and nothing changed. Tables."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ecart import InvalidInputError
from ecart.errors import InvalidQuantityError, QuantityLimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart

# What is checked before the store is asked needs no five engines.
pytestmark = pytest.mark.parametrize(
    "make_cart", ["memory-sync", "valkey9-sync", "valkey9-async"], indirect=True
)

DIGITS = "1" * 10_000
NOT_WHOLE = [1.5, 1.0, True, False, "5", "٥", None, float("nan"), 1e308, [1], Decimal(1), b"1"]
TOO_MANY = [10_000, 2**53, 2**63, 10**9999]

PRICES: list[Any] = [
    "NaN", "sNaN", "Infinity", "-1", "+1", "1e3", "1E+9999999", "٥", "१", "1.1234567891", "", " 1",
    "1 ", "1\n", ".5", "5.", "1,5", "1_000", "0x10", "1.2.3", "1000000000000000", "\0", "\ud800",
    DIGITS, "0." + DIGITS, float("nan"), float("inf"), -0.1, 1e308, 1e-10, -1, 10**15, 10**9999,
    True, False, b"1", [1], {}, object(), 1j, Decimal("NaN"), Decimal("sNaN"), Decimal("-1"),
    Decimal("Infinity"), Decimal("1E+9999999"), Decimal("1E-9999999"), Decimal("0.1234567891"),
    Decimal("1E+15"), Decimal(DIGITS), Decimal("-0.5"),
]  # fmt: skip
CART_IDS: list[Any] = ["", "x" * 257, "x" * 10_240, "\ud800", "a\udfff", None, True, False, 1.5,
    b"a", [], ("a",), object(), 10**64]  # fmt: skip
GOOD_CART_IDS = ["{}", "a}b", "{", "a\nb", "\0", "../", "../../etc/passwd", " ", "%", "x" * 256,
    "é" * 256, "🛒", "*", "a:cart:b", 0, -1, 10**63]  # fmt: skip
SKUS: list[Any] = ["", " ", "x" * 129, " a", "a ", "a\nb", "\0", "a\x7f", "\x85", "\u2028",
    "a\u3000", "\ud800", None, 5, True, b"a", ["a"]]  # fmt: skip
OPTIONS: list[Any] = [{"": 1}, {"a": 1.5}, {"a": [1]}, {"a": {}}, {1: 1}, {"a\n": 1}, {"a": "\0"},
    {"a": 2**53}, {"x" * 65: 1}, {"a": "x" * 129}, {"a": "\ud800"}, [("a", 1)], ["a"], "ab", 5,
    {str(n): n for n in range(17)}]  # fmt: skip
DETAILS: list[Any] = [[], "x", 5, {"a": float("nan")}, {"a": float("inf")}, {"a": object()},
    {"a": {1, 2}}, {"a": b"x"}, {"a": "\ud800"}, {"\ud800": 1}, {"a": Decimal(1)}, {(1,): 1},
    {"a": "x" * 2000}]  # fmt: skip
TITLES: list[Any] = ["x" * 257, "a\nb", "\0", "\ud800", "\u2029", 5, b"a", ["a"]]


def shortened(value: object) -> str:
    # Python refuses to write integers of many digits, and an address differs between workers.
    if isinstance(value, int):
        return f"{type(value).__name__}-{value.bit_length()}-bits"
    return re.sub(r" at 0x\w+", "", ascii(value))[:40]


def each(name: str, values: list[Any]) -> Any:
    return pytest.mark.parametrize(name, values, ids=shortened)


def refused(cart: Cart, code: str, call: Callable[[], object]) -> None:
    """The call is refused as input that can never work, by code, and leaves the cart alone."""
    before = cart.get()

    with pytest.raises(InvalidInputError) as error:
        call()

    assert error.value.code == code
    assert isinstance(error.value, ValueError)
    assert len(str(error.value)) < 200
    assert cart.get() == before


@each("quantity", [*NOT_WHOLE, 0, -1, -(2**63)])
def test_odd_quantities_are_not_added(cart: Cart, quantity: Any) -> None:
    """Not an `int` of 1 or more: `invalid_quantity`."""
    refused(cart, "invalid_quantity", lambda: cart.add("apple", quantity, unit_price="1"))


@each("quantity", [*NOT_WHOLE, -1, -(2**63)])
def test_odd_quantities_are_not_set(cart: Cart, quantity: Any) -> None:
    """Not an `int` of 0 or more: `invalid_quantity`."""
    cart.add("apple")
    refused(cart, "invalid_quantity", lambda: cart.set_quantity("apple", quantity))


@each("quantity", TOO_MANY)
def test_huge_quantities_are_over_the_limit(cart: Cart, quantity: int) -> None:
    """However large, it is one refusal: `quantity_limit_exceeded`."""
    cart.add("apple")

    with pytest.raises(QuantityLimitExceededError):
        cart.add("apple", quantity=quantity)
    with pytest.raises(QuantityLimitExceededError):
        cart.set_quantity("apple", quantity)

    assert cart.summary().version == 1


def test_a_subclass_of_int_is_no_quantity(cart: Cart) -> None:
    """An enum member, for instance, is refused rather than guessed at."""
    from enum import IntEnum

    class Size(IntEnum):
        SMALL = 1

    with pytest.raises(InvalidQuantityError):
        cart.add("apple", quantity=Size.SMALL)


@each("price", PRICES)
def test_odd_prices_are_refused(cart: Cart, price: Any) -> None:
    """Not finite, negative, not plain digits, too long: `invalid_amount`."""
    cart.add("apple", unit_price="1")
    refused(cart, "invalid_amount", lambda: cart.add("apple", unit_price=price))


@each("cart_id", CART_IDS)
def test_odd_cart_ids_are_refused(make_cart: Callable[..., Cart], cart_id: Any) -> None:
    """Empty, too long, no text, not encodable: `invalid_cart_id`, before any handle exists."""
    with pytest.raises(InvalidInputError) as error:
        make_cart(cart_id)

    assert error.value.code == "invalid_cart_id"


@each("cart_id", GOOD_CART_IDS)
def test_hostile_cart_ids_are_just_names(make_cart: Callable[..., Cart], cart_id: Any) -> None:
    """Braces, line breaks, dots and slashes lead nowhere else."""
    make_cart(cart_id).add("apple")

    snapshot = make_cart(cart_id).get()
    assert (snapshot.cart_id, snapshot.total_quantity) == (str(cart_id), 1)


@each("sku", SKUS)
def test_odd_skus_are_refused(cart: Cart, sku: Any) -> None:
    """Empty, too long, control characters, outer white space, no text: `invalid_sku`."""
    refused(cart, "invalid_sku", lambda: cart.add(sku))


@each("line_id", [sku for sku in SKUS if sku != "x" * 129] + ["x" * 129, ":" + "a" * 16])
@pytest.mark.parametrize("method", ["line", "contains", "remove", "set_quantity"])
def test_odd_line_ids_are_refused(cart: Cart, method: str, line_id: Any) -> None:
    """What no line could be named: `invalid_line_id`, by every method that takes one."""
    cart.add("apple")
    arguments = (line_id, 1) if method == "set_quantity" else (line_id,)
    refused(cart, "invalid_line_id", lambda: getattr(cart, method)(*arguments))


@each("options", OPTIONS)
def test_odd_options_are_refused(cart: Cart, options: Any) -> None:
    """More than a small mapping of plain values: `invalid_options`."""
    refused(cart, "invalid_options", lambda: cart.add("apple", options=options))


@each("details", DETAILS)
def test_odd_details_are_refused(cart: Cart, details: Any) -> None:
    """What JSON cannot say, or says too lengthily: `invalid_details`."""
    refused(cart, "invalid_details", lambda: cart.add("apple", details=details))


def test_deep_details_are_refused(cart: Cart) -> None:
    """Nesting that no stack bears is refused like any other."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    refused(cart, "invalid_details", lambda: cart.add("apple", details={"a": deep}))


@each("title", TITLES)
def test_odd_titles_are_refused(cart: Cart, title: Any) -> None:
    """Too long, control characters, no text: `invalid_title`."""
    refused(cart, "invalid_title", lambda: cart.add("apple", title=title))


@each("currency", ["", "usd", "US", "USDX", "XXX", "АED", None, 5, b"USD", ["USD"]])
def test_odd_currencies_are_refused(make_cart: Callable[..., Cart], currency: Any) -> None:
    """Not an active ISO 4217 code: `invalid_currency`, before any handle exists."""
    with pytest.raises(InvalidInputError) as error:
        make_cart(currency=currency)

    assert error.value.code == "invalid_currency"
