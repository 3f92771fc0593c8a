"""What a change left behind: a value, whether it was read already or not."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from ecart import Cart, CartChange, CorruptCartError, LineItem, MemoryStore
from ecart.model import CartSummary, MergeReport
from ecart.operations import AddItem
from ecart.stores.redis.operations import read_change

if TYPE_CHECKING:
    from collections.abc import Callable

SUMMARY = CartSummary("c", "USD", 1, 2, version=3)
LINE = LineItem("apple", 2)


def unread(times: list[int]) -> CartChange:
    def read() -> tuple[CartSummary, LineItem | None]:
        times.append(1)
        return SUMMARY, LINE

    return CartChange(None, load=read)


@pytest.mark.parametrize(
    "look",
    [lambda done: done.summary, lambda done: done.line, lambda done: done.version, repr],
)
def test_it_is_read_once_when_asked_for(look: Callable[[CartChange], object]) -> None:
    """Not before, and whichever part is asked for first."""
    times: list[int] = []
    done = unread(times)
    assert (done.replayed, done.report, times) == (False, None, [])

    look(done)

    assert (done.summary, done.line, done.version) == (SUMMARY, LINE, 3)
    assert times == [1]


def test_it_is_a_value() -> None:
    """Equal by its parts, shown with them, and the same in another process."""
    known = CartChange(SUMMARY, LINE)

    assert unread([]) == known
    assert known != CartChange(SUMMARY, LINE, True)
    assert repr(unread([])) == repr(known)
    assert repr(known) == (
        "<CartChange summary=<CartSummary 'c' version=3 line_count=1 total_quantity=2 "
        "subtotal=0 USD> line=<LineItem 'apple' quantity=2 unit_price=None>>"
    )
    assert repr(CartChange(SUMMARY, None, True, MergeReport("m", 1))) == (
        "<CartChange summary=<CartSummary 'c' version=3 line_count=1 total_quantity=2 "
        "subtotal=0 USD> replayed=True report=MergeReport(merge_id='m', added=1, raised=0, "
        "clamped=0, left=0, replayed=False)>"
    )
    assert pickle.loads(pickle.dumps(unread([]))) == known
    match unread([]):
        case CartChange(summary, LineItem(line_id), False, None):
            assert (summary, line_id) == (SUMMARY, "apple")


def test_nobody_changes_it() -> None:
    """Its parts are read only, and it has no others."""
    done = Cart("c", MemoryStore()).add("apple")

    for name in ("summary", "line", "replayed", "report", "else"):
        with pytest.raises(AttributeError):
            setattr(done, name, None)
    with pytest.raises(TypeError, match="did not ask for the whole cart"):
        _ = done.cart


def test_a_reply_that_nobody_can_read_is_reported_by_who_looks() -> None:
    """With the field that is at fault; the change is done, as the script said."""
    reply = b"0\n1|d|5|1|0|5\nmany\n1|e|USD|5|0\n\n2||1||"

    done = read_change("k", "c", AddItem(sku="apple"), b"0", reply)

    with pytest.raises(CorruptCartError) as seen:
        _ = done.summary
    assert seen.value.args == CorruptCartError("k", "c").args
