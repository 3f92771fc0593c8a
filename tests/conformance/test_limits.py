"""Limits: how much a line and a cart hold. A refusal changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecart import Rules
from ecart.errors import InvalidDetailsError, LineLimitExceededError, QuantityLimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart


def test_a_line_holds_9999_units(cart: Cart) -> None:
    """Unless told otherwise: the 10,000th is `quantity_limit_exceeded`, however it comes."""
    before = cart.add("apple", quantity=9_999).summary

    for attempt in (
        lambda: cart.add("apple"),
        lambda: cart.add("pear", quantity=10_000),
        lambda: cart.set_quantity("apple", 10_000),
    ):
        with pytest.raises(QuantityLimitExceededError) as refused:
            attempt()
        assert refused.value.code == "quantity_limit_exceeded"
        assert refused.value.limit == 9_999
    assert cart.summary() == before


def test_a_cart_holds_its_number_of_lines(make_cart: Callable[..., Cart]) -> None:
    """One line more is `line_limit_exceeded`; more units of the lines that are there is none."""
    cart = make_cart(rules=Rules(max_lines=2))
    cart.add("a")
    cart.add("b")

    with pytest.raises(LineLimitExceededError) as refused:
        cart.add("c")

    assert (refused.value.code, refused.value.limit) == ("line_limit_exceeded", 2)
    assert cart.add("a").summary.line_count == 2
    cart.remove("b")
    assert cart.add("c").summary.line_count == 2


def test_a_cart_holds_500_lines(cart: Cart) -> None:
    """Unless told otherwise."""
    for number in range(500):
        cart.add(f"sku-{number}", unit_price="0.01")

    with pytest.raises(LineLimitExceededError):
        cart.add("one-more")

    assert cart.summary().line_count == 500
    assert len(cart.get().lines) == 500
    assert cart.clear().summary.line_count == 0


def test_the_smallest_limits(make_cart: Callable[..., Cart]) -> None:
    """A cart for one unit of one thing."""
    cart = make_cart(rules=Rules(max_lines=1, max_quantity=1))
    cart.add("apple")

    with pytest.raises(QuantityLimitExceededError):
        cart.add("apple")
    with pytest.raises(LineLimitExceededError):
        cart.add("pear")


def test_a_million_units(make_cart: Callable[..., Cart]) -> None:
    """The highest limit there is works to its last unit."""
    cart = make_cart(rules=Rules(max_quantity=1_000_000))
    cart.add("apple", 999_999, unit_price="0.000000001")

    assert cart.add("apple").summary.total_quantity == 1_000_000
    with pytest.raises(QuantityLimitExceededError):
        cart.add("apple")


@pytest.mark.parametrize(
    "limits", [{"max_lines": 0}, {"max_quantity": 0}, {"max_quantity": 1_000_001}]
)
def test_limits_have_limits(limits: dict[str, int]) -> None:
    """Rules that no store could keep are refused when they are made."""
    with pytest.raises(ValueError, match="max_quantity is 1 to 1,000,000"):
        Rules(**limits)


def test_details_are_kept_small(make_cart: Callable[..., Cart]) -> None:
    """1 KiB of JSON a line, unless told otherwise."""
    cart = make_cart()
    cart.add("apple", details={"k": "x" * (1024 - len('{"k":""}'))})

    with pytest.raises(InvalidDetailsError) as refused:
        cart.add("apple", details={"k": "x" * (1025 - len('{"k":""}'))})

    assert refused.value.code == "invalid_details"
    assert cart.summary().version == 1
    larger = make_cart(rules=Rules(max_details_bytes=5000))
    assert larger.add("apple", details={"k": "x" * 4000}).version == 2
