"""How a cart looks in JSON. Money is text, so that no reader makes it a float."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from ecart.http.conditional import entity_tag
from ecart.model import CartSnapshot, CartSummary, Details, LineItem, Options, sku_of
from ecart.money import display_text, multiply


class ItemView(msgspec.Struct, frozen=True):
    """A line. `unit_price` and `subtotal` are null while it has no price."""

    id: str
    sku: str
    quantity: int
    unit_price: str | None
    subtotal: str | None
    title: str | None
    options: Options
    details: Details | None


class MessageView(msgspec.Struct, frozen=True):
    """Something the shopper should know of a line. Switch on `code`; `text` is for people."""

    code: str
    line_id: str
    text: str


class HoldView(msgspec.Struct, frozen=True):
    """A check-out that holds the cart, until when."""

    checkout_id: str
    expires_at: datetime


class SummaryView(msgspec.Struct, frozen=True):
    """The cart without its lines. `etag` names its state, as the header does between quotes."""

    cart_id: str
    line_count: int
    total_quantity: int
    subtotal: str
    currency: str
    version: int
    etag: str


class CartView(msgspec.Struct, frozen=True):
    """The cart. Items stand in the order of their first addition; `etag` is that of a summary."""

    cart_id: str
    items: list[ItemView]
    line_count: int
    total_quantity: int
    subtotal: str
    currency: str
    version: int
    etag: str
    created_at: datetime | None
    updated_at: datetime | None
    expires_at: datetime | None
    checkout: HoldView | None
    messages: list[MessageView]


class CheckoutView(msgspec.Struct, frozen=True):
    """What is to be ordered, the id to order it under, and until when the cart is held."""

    checkout_id: str
    expires_at: datetime
    cart: CartView


class MergeView(msgspec.Struct, frozen=True):
    """What a merge did, in lines (see `ecart.MergeReport`), and the cart it was done to."""

    added: int
    raised: int
    clamped: int
    left: int
    replayed: bool
    cart: CartView


class SignInView(msgspec.Struct, frozen=True):
    """What a log-in's merge did, or the code why there was none, and the user's cart."""

    added: int
    raised: int
    clamped: int
    left: int
    replayed: bool
    refused: str | None
    cart: CartView


class OperationView(msgspec.Struct, frozen=True):
    """A change that has taken effect, by its `Idempotency-Key`, and when."""

    operation_id: str
    applied_at: datetime


class Health(msgspec.Struct, frozen=True):
    """The state of the service: `ok`, or `ready` where the engine answers, too."""

    status: str


def cart_view(cart: CartSnapshot) -> CartView:
    """The JSON form of a cart."""
    return CartView(
        cart_id=cart.cart_id,
        items=[item_view(line, cart.currency) for line in cart.lines],
        line_count=cart.line_count,
        total_quantity=cart.total_quantity,
        subtotal=display_text(cart.subtotal, cart.currency),
        currency=cart.currency,
        version=cart.version,
        etag=entity_tag(cart)[1:-1],
        created_at=cart.created_at,
        updated_at=cart.updated_at,
        expires_at=cart.expires_at,
        checkout=HoldView(cart.lock.checkout_id, cart.lock.deadline) if cart.lock else None,
        messages=[_price_missing(line) for line in cart.lines if line.unit_price is None],
    )


def summary_view(cart: CartSummary) -> SummaryView:
    """The JSON form of a summary."""
    return SummaryView(
        cart_id=cart.cart_id,
        line_count=cart.line_count,
        total_quantity=cart.total_quantity,
        subtotal=display_text(cart.subtotal, cart.currency),
        currency=cart.currency,
        version=cart.version,
        etag=entity_tag(cart)[1:-1],
    )


def item_view(line: LineItem, currency: str) -> ItemView:
    """The JSON form of a line."""
    item = _plain_item(line.line_id, line.quantity, line.unit_price, line.title, currency)
    if line.options or line.details is not None:
        return replace(item, options=line.options, details=line.details)
    return item


@lru_cache(maxsize=8192)
def _plain_item(
    line_id: str, quantity: int, price: Decimal | None, title: str | None, currency: str
) -> ItemView:
    """A line without options and details. A shop has few of them, and most quantities are small."""
    unit_price = subtotal = None
    if price is not None:
        unit_price = display_text(price, currency)
        subtotal = display_text(multiply(price, quantity), currency)
    return ItemView(line_id, sku_of(line_id), quantity, unit_price, subtotal, title, {}, None)


def _price_missing(line: LineItem) -> MessageView:
    text = f"{line.title or line.sku} has no price yet and does not count in the subtotal"
    return MessageView("price_missing", line.line_id, text)
