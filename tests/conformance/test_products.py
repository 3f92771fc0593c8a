"""A product of a catalog, put into a cart with all that the catalog says of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Rules
from ecart.catalog import MappingCatalog, Product
from ecart.errors import (
    CurrencyMismatchError,
    InvalidOptionsError,
    QuantityLimitExceededError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart

MUG = Product(
    sku="mug", title="Mug", unit_price=Decimal("7.5"), currency="EUR", max_quantity=3,
    options={"size": ["S", "M"]},
)  # fmt: skip


def test_it_keeps_price_currency_and_title(cart: Cart) -> None:
    """Though the rules of the cart have another currency."""
    assert cart.rules.currency == "USD"

    changed = cart.add_product(MUG, 2, options={"size": "M"}, details={"gift": True})

    cart_now = cart.get()
    (line,) = cart_now.lines
    assert (cart_now.currency, cart_now.subtotal) == ("EUR", Decimal(15))
    assert (line.sku, line.quantity, line.title) == ("mug", 2, "Mug")
    assert (line.unit_price, line.options, line.details) == (
        Decimal("7.5"), {"size": "M"}, {"gift": True},
    )  # fmt: skip
    assert changed.line == line


def test_two_adds_add_up_within_its_limit(cart: Cart) -> None:
    cart.add_product(MUG, 2)

    with pytest.raises(QuantityLimitExceededError) as refused:
        cart.add_product(MUG, 2)

    assert refused.value.limit == 3
    assert cart.summary().total_quantity == 2


def test_the_limit_of_the_rules_holds_too(make_cart: Callable[..., Cart]) -> None:
    cart = make_cart("c", rules=Rules(max_quantity=1))

    with pytest.raises(QuantityLimitExceededError):
        cart.add_product(MUG, 2)


@pytest.mark.parametrize("options", [{"size": "XL"}, {"colour": "red"}, {"size": True}, "M"])
def test_it_has_only_its_options(cart: Cart, options: Any) -> None:
    with pytest.raises(InvalidOptionsError):
        cart.add_product(MUG, options=options)

    assert not cart.get().exists


def test_another_currency_is_refused(cart: Cart) -> None:
    cart.add("tea", unit_price="4")

    with pytest.raises(CurrencyMismatchError):
        cart.add_product(MUG)


def test_without_a_currency_it_has_that_of_the_rules(make_cart: Callable[..., Cart]) -> None:
    cart = make_cart("c", rules=Rules(currency="CHF"))
    catalog = MappingCatalog([Product(sku="tea", unit_price=Decimal(4))])

    cart.add_product(catalog.lookup(["tea"])["tea"])

    assert cart.get().currency == "CHF"


def test_a_repeat_counts_once(cart: Cart) -> None:
    assert not cart.add_product(MUG, operation_id="k1").replayed
    assert cart.add_product(MUG, operation_id="k1").replayed
    assert cart.summary().total_quantity == 1
