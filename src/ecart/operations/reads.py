"""What can be asked of a cart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from ecart.model import CartSnapshot, CartSummary, LineItem, check_line_id
from ecart.operations.arguments import check_operation_id, parse_operation_id
from ecart.operations.carts import as_readers_see, find_line, summary_of
from ecart.operations.change import Read, Record, StoredCart


class GetCart(Read[CartSnapshot], frozen=True):
    """Reads the cart with all its lines."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartSnapshot]:
        return stored, as_readers_see(stored.snapshot)


class MergeSource(msgspec.Struct, frozen=True):
    """A cart that is being merged into another, with its records of callers' operation ids.

    A store names records as it likes; it finds its own again.
    """

    cart: CartSnapshot
    records: Mapping[str, Record] = {}


class GetMergeSource(Read[MergeSource], frozen=True):
    """Reads what a merge takes out of a cart: its lines, and what it remembers of repeats."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, MergeSource]:
        records = {k: r for k, r in stored.records.items() if not k.startswith("&")}
        return stored, MergeSource(as_readers_see(stored.snapshot), records)


class GetSummary(Read[CartSummary], frozen=True):
    """Reads counters and version without loading the lines."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartSummary]:
        return stored, summary_of(as_readers_see(stored.snapshot))


class GetTtl(Read[int], frozen=True):
    """Reads how long the cart has to live, in milliseconds: -1 for ever, -2 no cart (as Redis)."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, int]:
        cart = stored.snapshot
        if not cart.exists:
            return stored, -2
        return stored, cart.updated_ms + cart.lifetime_ms - now_ms if cart.lifetime_ms else -1


class GetLine(Read[LineItem | None], frozen=True, kw_only=True):
    """Reads one line; None if the cart does not have it."""

    line_id: str

    def __post_init__(self) -> None:
        check_line_id(self.line_id)

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, LineItem | None]:
        return stored, find_line(as_readers_see(stored.snapshot), self.line_id)


class GetOperation(Read[datetime | None], frozen=True, kw_only=True):
    """Reads when a change of this name took effect; None if it has not, so far as is remembered."""

    operation_id: str

    def __post_init__(self) -> None:
        check_operation_id(self.operation_id)

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, datetime | None]:
        name, number = parse_operation_id(self.operation_id)
        record = stored.records.get(name)
        if record is None or record.number != number:
            return stored, None
        return stored, datetime.fromtimestamp(record.time_ms // 1000, UTC)
