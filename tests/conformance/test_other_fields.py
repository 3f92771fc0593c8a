"""What a newer version stored with a cart or a line goes where the cart goes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ecart import Cart, LineItem
from ecart.operations import PutLines

if TYPE_CHECKING:
    from ecart.store import Store

pytestmark = pytest.mark.foreign_data

TEXT = 'a | b % {c} "d"\n=e|é'
WITH_BOTH = LineItem(
    "tea", 2, title="Tea", options={}, details={"n": 1}, other={"k": TEXT, "Z": ""}
)
PLAIN = LineItem("mug", 1)


@pytest.fixture
def source(store: Store) -> Cart:
    """A cart with lines and fields of a newer version."""
    cart = Cart("source", store)
    lines = (WITH_BOTH, PLAIN)
    cart.perform(PutLines(lines=lines, currency="USD", other={"x": TEXT, "ms": "2"}))
    return cart


def others(cart: Cart) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    snapshot = cart.get()
    return dict(snapshot.other), {line.line_id: dict(line.other) for line in snapshot}


BOTH = ({"x": TEXT, "ms": "2"}, {"tea": {"k": TEXT, "Z": ""}, "mug": {}})


def test_they_are_read_as_they_were_written(source: Cart) -> None:
    assert others(source) == BOTH
    assert source.get().line("tea").details == {"n": 1}
    assert source.get().line("tea").title == "Tea"


@pytest.mark.parametrize("details", [None, {"m": 2}])
def test_a_change_of_the_line_leaves_them(source: Cart, details: Any) -> None:
    source.add("tea", 3, unit_price="1", title="Green tea", details=details)
    source.set_quantity("tea", 9)
    source.add("mug", details=details)

    assert others(source) == BOTH
    assert source.get().line("tea").details == (details or {"n": 1})
    assert source.get().line("mug").details == details


def test_a_copy_has_them(source: Cart, store: Store) -> None:
    """What the target had under the same names is replaced, as its lines are."""
    target = Cart("target", store)
    had = LineItem("tea", 1, other={"q": "gone"})
    target.perform(PutLines(lines=(had,), currency="USD", other={"x": "old", "z": "stays"}))

    source.copy_to("target")

    assert others(target) == ({**BOTH[0], "z": "stays"}, BOTH[1])


@pytest.mark.parametrize("policy", ["sum", "max", "replace"])
def test_a_merge_takes_them_in(source: Cart, store: Store, policy: Any) -> None:
    """What both have is the target's, except by `replace`."""
    target = Cart("target", store)
    had = LineItem("tea", 1, other={"k": "target", "q": "own"})
    target.perform(PutLines(lines=(had,), currency="USD", other={"x": "target", "z": "own"}))

    target.merge_from("source", policy=policy)

    x, k = (TEXT, TEXT) if policy == "replace" else ("target", "target")
    of_cart, of_lines = others(target)
    assert of_cart == {"x": x, "ms": "2", "z": "own"}
    assert of_lines == {"tea": {"k": k, "Z": "", "q": "own"}, "mug": {}}


def test_a_merge_that_keeps_the_target_keeps_its_lines(source: Cart, store: Store) -> None:
    target = Cart("target", store)
    target.perform(PutLines(lines=(LineItem("tea", 1),), currency="USD"))

    target.merge_from("source", policy="keep_target")

    assert others(target) == (BOTH[0], {"tea": {}, "mug": {}})


def test_an_emptied_cart_keeps_them_and_a_destroyed_one_does_not(source: Cart) -> None:
    source.clear()
    assert others(source) == (BOTH[0], {})

    source.destroy()
    assert others(source) == ({}, {})
    source.add("mug")
    assert others(source) == ({}, {"mug": {}})


def test_a_check_out_shows_them(source: Cart) -> None:
    checkout = source.begin_checkout()

    assert dict(checkout.cart.other) == BOTH[0]
    assert dict(checkout.cart.line("tea").other) == BOTH[1]["tea"]

    source.complete_checkout(checkout.checkout_id, "order-1")
    assert others(source) == (BOTH[0], {})


def test_a_line_is_the_same_again_in_all_its_fields(store: Store) -> None:
    """Whatever fields a line has: this draws on its declaration."""
    values: dict[str, Any] = {"line_id": "tea", "quantity": 3, "position": 1}
    for field in msgspec.structs.fields(LineItem):
        if field.name not in values:
            values[field.name] = EXAMPLES.get(field.name, TEXT)
    line = LineItem(**values)
    cart = Cart("c", store)

    cart.perform(PutLines(lines=(line,), currency="USD"))

    assert msgspec.structs.asdict(cart.get().line("tea")) == values


EXAMPLES: dict[str, Any] = {
    "unit_price": Decimal("1.5"),
    "title": TEXT.replace("\n", ""),
    "options": {"size": "M"},
    "details": {"n": [1, {"m": None}]},
    "other": {"k": TEXT, "Z": ""},
}
"""Values of the fields that are no text."""
