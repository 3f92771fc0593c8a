"""The whole life of carts, from the first add to erasure, by one way to the store."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ecart.errors import CartLockedError, CartMergedError, LineNotFoundError

if TYPE_CHECKING:
    import asyncio

    from topologies.load import Way


def whole_life(way: Way, runner: asyncio.Runner) -> None:
    """Add, read, merge, copy, check out, destroy, purge: each at least once."""
    opened = way.open()
    guest, user, copy = (opened.cart(name, runner) for name in ("guest", "user", "copy"))

    assert guest.get().lines == ()
    guest.add("apple", 3, unit_price="0.50", title="Äpfel|日本")
    guest.add("pear", unit_price="1.25", operation_id="é")
    assert guest.add("pear", unit_price="1.25", operation_id="é").replayed
    assert guest.set_quantity("apple", 2).summary.subtotal == Decimal("2.25")
    with pytest.raises(LineNotFoundError):
        guest.remove("fig")
    assert guest.contains("pear")
    assert guest.summary().total_quantity == 3

    user.add("apple", unit_price="0.50")
    assert user.merge_from("guest").added == 1
    assert user.merge_from("guest").replayed
    with pytest.raises(CartMergedError):
        guest.add("late")
    assert {line.sku: line.quantity for line in user.get().lines} == {"apple": 3, "pear": 1}
    user.copy_to("copy")
    assert copy.line("apple").quantity == 3

    checkout = user.begin_checkout()
    with pytest.raises(CartLockedError):
        user.add("late")
    user.release_checkout(checkout.checkout_id)
    checkout = user.begin_checkout(keep_additions=True)
    user.add("late")
    user.complete_checkout(checkout.checkout_id, "order-1")
    assert [line.sku for line in user.get().lines] == ["late"]

    assert copy.destroy().summary.state == "gone"
    assert user.set_ttl(100).summary.ttl_ms == 100_000
    assert user.ttl() == 100
    assert user.purge().version == 0
    opened.end(runner)
