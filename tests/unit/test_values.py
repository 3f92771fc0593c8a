"""Snapshots, summaries and lines as values: what they contain, their truth, how they print."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import msgspec
import pytest

from ecart import Cart, CartChange, CartSnapshot, LineItem, MemoryStore
from ecart.model import CartSummary, Lock, Merge, line_id_for

SHIRT = LineItem(line_id_for("shirt", {"size": "M"}), 1, Decimal("19.9"), 2, "Shirt", {"size": "M"})
LINES = (LineItem("apple", 3, Decimal("0.5")), SHIRT)
FILLED = CartSnapshot("c", "USD", 2, 4, Decimal("21.4"), 7, "e", "d", lines=LINES)
EMPTY = CartSnapshot("c", "USD")


def test_a_snapshot_is_its_lines() -> None:
    """By length and iteration, in their order."""
    assert (len(FILLED), list(FILLED)) == (2, list(LINES))
    assert (len(EMPTY), list(EMPTY)) == (0, [])


def test_a_snapshot_contains_skus() -> None:
    """A SKU of any line, with or without options; neither a line's id nor what is no text."""
    assert "apple" in FILLED
    assert "shirt" in FILLED
    for other in ("pear", "", "shir", SHIRT.line_id, b"apple", None, 5, SHIRT, ["apple"]):
        assert other not in FILLED, other
    assert "apple" not in EMPTY


@pytest.mark.parametrize("snapshot", [EMPTY, FILLED], ids=["empty", "filled"])
def test_a_snapshot_is_true(snapshot: CartSnapshot) -> None:
    """Also without lines: truth asks whether there is a snapshot, as of any other value."""
    assert bool(snapshot) is True
    assert (snapshot or None) is snapshot
    assert bool(Cart("c", MemoryStore()).get()) is True
    assert CartChange(snapshot).summary is snapshot
    assert CartChange(snapshot).cart is snapshot


@pytest.mark.parametrize("snapshot", [EMPTY, FILLED], ids=["empty", "filled"])
def test_a_snapshot_is_a_struct_still(snapshot: CartSnapshot) -> None:
    """Copied, pickled, replaced, encoded and compared field by field."""
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
    assert copy.copy(snapshot) == copy.deepcopy(snapshot) == snapshot
    assert msgspec.structs.replace(snapshot, version=8) != snapshot
    assert msgspec.structs.replace(snapshot, lines=()).lines == ()
    fields = msgspec.to_builtins(snapshot)
    assert list(fields) == list(CartSnapshot.__struct_fields__)
    assert len(fields["lines"]) == len(snapshot)
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=CartSnapshot) == snapshot
    match snapshot:
        case CartSnapshot("c", "USD", count):
            assert count == len(snapshot)


# How values print.


@pytest.mark.parametrize(
    "value, text",
    [
        (LineItem("apple", 2), "<LineItem 'apple' quantity=2 unit_price=None>"),
        (LINES[0], "<LineItem 'apple' quantity=3 unit_price=0.5>"),
        (
            SHIRT,
            "<LineItem 'shirt:szioivahal2grb6j' quantity=1 unit_price=19.9 options={'size': 'M'}>",
        ),
        (
            CartSummary("c", "EUR"),
            "<CartSummary 'c' version=0 line_count=0 total_quantity=0 subtotal=0 EUR>",
        ),
        (
            CartSummary("c", "EUR", 1, 2, Decimal(3), 4, state="locked", lock=Lock("x", 5)),
            "<CartSummary 'c' version=4 line_count=1 total_quantity=2 subtotal=3 EUR state=locked>",
        ),
        (
            EMPTY,
            "<CartSnapshot 'c' version=0 line_count=0 total_quantity=0 subtotal=0 USD lines=[]>",
        ),
        (
            FILLED,
            "<CartSnapshot 'c' version=7 line_count=2 total_quantity=4 subtotal=21.4 USD "
            "lines=['apple' x3, 'shirt:szioivahal2grb6j' x1]>",
        ),
        (
            CartSnapshot("c", "USD", state="merged", merge=Merge("m", "sum", "d")),
            "<CartSnapshot 'c' version=0 line_count=0 total_quantity=0 subtotal=0 USD "
            "state=merged lines=[]>",
        ),
    ],
)
def test_a_value_prints_what_a_developer_asks_first(value: object, text: str) -> None:
    """On one line: id, version, counts, subtotal and currency, state if not open; lines."""
    assert repr(value) == text
    assert str(value) == text


@pytest.mark.parametrize("count, more", [(3, ""), (4, ", 1 more"), (500, ", 497 more")])
def test_a_snapshot_prints_its_first_lines(count: int, more: str) -> None:
    """Three of them, and how many more there are."""
    lines = tuple(LineItem(f"sku-{n}", n + 1) for n in range(count))

    shown = repr(CartSnapshot("c", "USD", count, lines=lines))

    assert shown.endswith(f" lines=['sku-0' x1, 'sku-1' x2, 'sku-2' x3{more}]>")


def test_nothing_long_is_printed_whole() -> None:
    """Neither ids nor options nor details; no character of them breaks the line."""
    options = {f"name {n} " + "x" * 50: "y" * 128 for n in range(16)}
    line = LineItem("s\n" * 64, 1, Decimal(1), 1, "t" * 256, options, {"note": "z" * 1000})
    cart = CartSnapshot("i\n" * 128, "USD", 9, lines=(line,) * 9)

    texts = [repr(value) for value in (line, cart, CartChange(cart, line))]

    assert max(map(len, texts)) < 1000
    assert len(texts[0]) < 500
    assert not any("\n" in text or "zzz" in text or "ttt" in text for text in texts)
