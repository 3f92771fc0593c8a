"""What `Cart.add` makes of its arguments: often the operation that it made before."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ecart import Cart, CartChange, MemoryStore, Rules
from ecart.errors import EcartError
from ecart.operations import AddItem, Operation, make_add_item

CARTS = ("a", "b")


class Noting:
    """A store that notes what it is to do, and does nothing."""

    def __init__(self) -> None:
        self.operations: list[Any] = []

    def execute(self, cart_id: str, operation: Operation[Any], /) -> Any:
        """Notes the operation."""
        self.operations.append(operation)
        return CartChange(None)


def noted(*additions: dict[str, Any], **handle: Any) -> list[AddItem]:
    store = Noting()
    for more in additions:
        Cart("c", store, **handle).add("apple", **more)
    return store.operations


def test_the_same_addition_is_made_once() -> None:
    """To whatever cart."""
    store = Noting()
    for cart_id in CARTS:
        Cart(cart_id, store).add("apple", 2, unit_price="0.50", title="Apple")

    first, second = store.operations
    assert first is second
    assert (first.sku, first.unit_price, first.quantity, first.title) == (
        "apple", Decimal("0.5"), 2, "Apple",
    )  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {"quantity": 2},
        {"unit_price": "2"},
        {"title": "Apple"},
        {"options": {"size": "M"}},
        {"details": {"a": 1}},
        {"expected_version": 1},
        {"operation_id": "order-1"},
    ],
)
def test_another_addition_is_another_operation(more: dict[str, Any]) -> None:
    """Each argument counts."""
    first, second, third = noted({}, more, {})

    assert second != first
    assert third is first


@pytest.mark.parametrize(
    "handle", [{"currency": "EUR"}, {"ttl": 60}, {"rules": Rules(max_lines=7)}]
)
def test_the_handle_counts(handle: dict[str, Any]) -> None:
    """Currency, time to live and limits are part of the operation."""
    (plain,), (other,) = noted({"unit_price": "1"}), noted({"unit_price": "1"}, **handle)

    assert other.rules != plain.rules


@pytest.mark.parametrize(
    "good, bad",
    [
        ({"unit_price": 1}, {"unit_price": True}),
        ({"quantity": 1}, {"quantity": True}),
        ({"quantity": 1}, {"quantity": 1.0}),
        ({"unit_price": Decimal(0)}, {"unit_price": Decimal("-0")}),
        ({"unit_price": 0.0}, {"unit_price": -0.0}),
        ({}, {"unit_price": ""}),
        ({}, {"unit_price": Decimal("sNaN")}),
        ({}, {"unit_price": ["1"]}),
        ({}, {"quantity": [1]}),
        ({}, {"title": {"a": 1}}),
    ],
)
def test_what_equals_a_good_argument_is_still_refused(
    good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """As ever, whatever was added before."""
    noted(good, good)

    with pytest.raises(EcartError):
        noted(bad)


@pytest.mark.parametrize(
    "more",
    [
        {"currency": "EUR"},
        {"want_cart": True},
        {"expected": (1,)},
        {"operation_id": "order-1"},
        {"fingerprint": "0badcafe"},
    ],
)
def test_what_only_a_service_says_counts_too(more: dict[str, Any]) -> None:
    """As each argument does."""
    plain: dict[str, Any] = {
        "sku": "apple", "quantity": 1, "unit_price": "1", "title": None, "options": {},
        "rules": Rules(),
    }  # fmt: skip
    first, second, third = (
        make_add_item(**plain),
        make_add_item(**plain, **more),
        make_add_item(**plain),
    )

    assert {name: getattr(second, name) for name in more} == more
    assert second != first
    assert third is first


def test_a_sku_without_a_hash_is_refused() -> None:
    """As one that is no text."""
    with pytest.raises(EcartError, match="a SKU is"):
        Cart("c", Noting()).add(["apple"])  # type: ignore[arg-type]


def test_a_line_of_one_cart_is_no_other_carts() -> None:
    """Who changes the options of a line that was handed out changes nobody else's."""
    store = MemoryStore()
    first, second = (Cart(cart_id, store) for cart_id in CARTS)
    line = first.add("apple").line
    assert line is not None
    line.options["size"] = "M"  # type: ignore[index]

    assert second.add("apple").line.options == {}  # type: ignore[union-attr]
