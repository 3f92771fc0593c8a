"""What can be asked of a cart."""

from __future__ import annotations

from datetime import UTC, datetime

from ecart.model import CartSnapshot, CartSummary, LineItem, check_line_id
from ecart.operations.arguments import check_operation_id, parse_operation_id
from ecart.operations.carts import as_readers_see, find_line, summary_of
from ecart.operations.change import Read, StoredCart


class GetCart(Read[CartSnapshot], frozen=True):
    """Reads the cart with all its lines."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartSnapshot]:
        return stored, as_readers_see(stored.snapshot)


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
