"""Check-out: the cart is held, handed over, and what was ordered taken out of it.

One check-out holds a cart at a time. Its id makes completing and releasing known from whoever they
come, so each takes effect once.
"""

from __future__ import annotations

from msgspec.structs import replace

from ecart.errors import CartEmptyError, CheckoutNotOpenError
from ecart.model import CartSnapshot, LineItem, Lock, State
from ecart.operations.arguments import check_operation_id, check_token
from ecart.operations.carts import with_lines
from ecart.operations.change import Change, set_frozen_field

QUARTER_HOUR = 15 * 60
"""Seconds that a check-out holds the cart, by default."""


class BeginCheckout(Change, frozen=True, kw_only=True):
    """Holds the cart for one check-out until it completes, is released, or its time runs out.

    With `keeps_additions`, what is added meanwhile stays for the next order; else it is refused.
    """

    identity = ("hold_ms", "keeps_additions")

    checkout_id: str
    hold_ms: int = QUARTER_HOUR * 1000
    keeps_additions: bool = False

    def __post_init__(self) -> None:
        check_token(self.checkout_id)
        super().__post_init__()

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        if not cart.exists or not cart.lines:
            raise CartEmptyError
        lock = Lock(self.checkout_id, now_ms + self.hold_ms, self.keeps_additions)
        return replace(cart, state="locked", lock=lock)


class EndCheckout(Change, frozen=True, kw_only=True):
    """What completing and releasing share: this check-out must hold the cart.

    Its deadline opens the cart for others; while none has come, it still holds.
    """

    heeds_deadline = False

    checkout_id: str

    def __post_init__(self) -> None:
        check_token(self.checkout_id)
        if self.operation_id is None:
            set_frozen_field(self, "operation_id", f"{type(self).__name__} {self.checkout_id}")
        super().__post_init__()

    def _works_on(self, cart: CartSnapshot) -> tuple[State, ...]:
        return ("open", "gone", "locked")

    def _released(self, cart: CartSnapshot) -> CartSnapshot:
        if cart.lock is None or cart.lock.checkout_id != self.checkout_id:
            raise CheckoutNotOpenError
        return replace(cart, state="open", lock=None, ordered={})


class CompleteCheckout(EndCheckout, frozen=True, kw_only=True):
    """Takes out of the cart what was ordered, and only that."""

    identity = ("checkout_id", "order_id")

    order_id: str

    def __post_init__(self) -> None:
        check_operation_id(self.order_id)
        super().__post_init__()

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        released = self._released(cart)
        return with_lines(released, [line for line in _later(cart) if line.quantity])


class ReleaseCheckout(EndCheckout, frozen=True, kw_only=True):
    """Opens the cart again, as it is."""

    identity = ("checkout_id",)

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        return self._released(cart)


def _later(cart: CartSnapshot) -> list[LineItem]:
    """The lines with what was added after check-out had begun."""
    return [
        replace(line, quantity=line.quantity - cart.ordered.get(line.line_id, line.quantity))
        for line in cart.lines
    ]
