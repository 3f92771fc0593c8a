"""One example of each change that there is, for a cart with units of `apple`.

Suites that hold something of every change take it from here, so that a new operation is tried by
all of them. `tests/redis/test_scripts.py` fails if one has no example.
"""

from __future__ import annotations

from decimal import Decimal

from ecart import LineItem
from ecart.model import Merge
from ecart.operations import (
    AddItem,
    BeginCheckout,
    BeginMerge,
    Change,
    Clear,
    CompleteCheckout,
    Destroy,
    EndMerge,
    MergeLines,
    Prolong,
    Purge,
    PutLines,
    ReleaseCheckout,
    RemoveLine,
    SetQuantity,
    SetTtl,
)

EXAMPLES: list[Change] = [
    AddItem(sku="apple", unit_price=Decimal(1)),
    SetQuantity(line_id="apple", quantity=9),
    RemoveLine(line_id="apple"),
    PutLines(lines=(LineItem("pear", 1),), currency="USD"),
    Clear(),
    SetTtl(ttl_ms=5_000_000),
    Destroy(),
    BeginCheckout(checkout_id="c" * 16, hold_ms=1000),
    CompleteCheckout(checkout_id="c" * 16, order_id="o"),
    ReleaseCheckout(checkout_id="c" * 16),
    BeginMerge(merge=Merge("m" * 16, "sum", "target")),
    MergeLines(merge_id="m" * 16, epoch="", policy="sum", lines=(), currency="USD"),
    EndMerge(merge_id="m" * 16, is_merged=True),
    Prolong(early_ms=1000),
    Purge(epoch="e" * 16),
]
_OF_OTHER_STATES = (
    *(BeginCheckout, CompleteCheckout, ReleaseCheckout, BeginMerge, MergeLines, EndMerge),
    *(Prolong, Purge),
)
OF_AN_OPEN_CART = {
    type(change).__name__: change for change in EXAMPLES if not isinstance(change, _OF_OTHER_STATES)
}
"""What shoppers and shops do to a cart that is neither held nor merged, by name."""
OF_LINES = {
    name: change
    for name, change in OF_AN_OPEN_CART.items()
    if not isinstance(change, SetTtl | Destroy)
}
"""Those that change lines, and leave the cart its time to live."""
ADD_ANOTHER = AddItem(sku="pear", unit_price=Decimal(1))
SET_TO_ZERO = SetQuantity(line_id="apple", quantity=0)
