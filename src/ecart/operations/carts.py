"""What operations do to a snapshot: small functions from cart to cart."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ecart.errors import (
    AmountOutOfRangeError,
    CartTooLargeError,
    CurrencyMismatchError,
    LineNotFoundError,
)
from ecart.model import CartSnapshot, CartSummary, LineItem
from ecart.money import MAX_UNITS, add_up
from ecart.operations.arguments import Version, new_token
from ecart.stored_text import bytes_of


def summary_of(cart: CartSnapshot) -> CartSummary:
    """The cart without its lines."""
    return CartSummary(*(getattr(cart, name) for name in CartSummary.__struct_fields__))


def as_readers_see(cart: CartSnapshot) -> CartSnapshot:
    """The cart as readers see it: what was merged into another cart is no longer here."""
    if cart.state != "merged":
        return cart
    return replace(with_lines(cart, ()), last_position=0, other={})


def handed_over(cart: CartSnapshot) -> CartSnapshot:
    """The cart as its check-out saw it: without the units that were added since."""
    if not cart.ordered:
        return cart
    lines = (replace(ln, quantity=cart.ordered.get(ln.line_id, ln.quantity)) for ln in cart.lines)
    return with_lines(replace(cart, ordered={}), [line for line in lines if line.quantity])


def find_line(cart: CartSnapshot, line_id: str) -> LineItem | None:
    """The line with this id, if the cart has it."""
    return next((line for line in cart.lines if line.line_id == line_id), None)


def line_in(cart: CartSnapshot, line_id: str) -> LineItem:
    """The line with this id (else `LineNotFoundError`)."""
    line = find_line(cart, line_id)
    if line is None:
        raise LineNotFoundError(line_id)
    return line


def without(cart: CartSnapshot, line_id: str) -> tuple[LineItem, ...]:
    """The lines beside this one."""
    return tuple(line for line in cart.lines if line.line_id != line_id)


def with_lines(cart: CartSnapshot, lines: Iterable[LineItem]) -> CartSnapshot:
    """The cart holding `lines`, by position, with its counters.

    Raises:
        AmountOutOfRangeError: the subtotal would reach 2^53.
    """
    lines = tuple(sorted(lines, key=lambda line: line.position))
    subtotal = add_up(line.subtotal for line in lines if line.subtotal is not None)
    if subtotal >= MAX_UNITS:
        raise AmountOutOfRangeError
    return replace(
        cart,
        lines=lines,
        line_count=len(lines),
        total_quantity=sum(line.quantity for line in lines),
        subtotal=subtotal,
    )


def grown(cart: CartSnapshot, lines: Iterable[LineItem], max_bytes: int) -> CartSnapshot:
    """`with_lines`, unless that makes the cart larger than the limit (`CartTooLargeError`)."""
    changed = with_lines(cart, lines)
    size = bytes_of(changed.lines)
    if size > max_bytes and size > bytes_of(cart.lines):
        raise CartTooLargeError(max_bytes)
    return changed


def created(cart: CartSnapshot, currency: str, now_ms: int) -> CartSnapshot:
    """The cart, made now if it does not exist; after `destroy` its versions go on."""
    if cart.exists:
        return cart
    return CartSnapshot(
        cart_id=cart.cart_id,
        currency=currency,
        version=cart.version,
        epoch=new_token(),
        created_ms=now_ms,
    )


def as_tombstone(cart: CartSnapshot) -> CartSnapshot:
    """What is left of a cart that has ended."""
    return replace(with_lines(cart, ()), state="gone", last_position=0, other={})


def in_currency(cart: CartSnapshot, currency: str | None) -> CartSnapshot:
    """The cart, fit to take a price in `currency`; None: there is no price to take."""
    if currency is None or cart.currency == currency:
        return cart
    if cart.lines:
        raise CurrencyMismatchError(cart.currency, currency)
    return replace(cart, currency=currency)


def matches(cart: CartSummary, expected: tuple[Version, ...]) -> bool:
    """Whether the cart is at one of the expected versions."""
    return cart.version in expected or cart.etag in expected
