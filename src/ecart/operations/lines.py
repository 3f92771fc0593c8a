"""What changes the lines of a cart."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec.structs import asdict, replace

from ecart.errors import LineLimitExceededError, LineTooLargeError, QuantityLimitExceededError
from ecart.model import (
    CartSnapshot,
    Details,
    LineItem,
    Options,
    State,
    check_line_id,
    check_sku,
    line_id_for,
)
from ecart.money import check_currency, parse_amount
from ecart.operations.arguments import (
    Version,
    check_distinct,
    check_quantity,
    check_title,
    checked_details,
    checked_options,
)
from ecart.operations.carts import (
    created,
    find_line,
    grown,
    in_currency,
    line_in,
    with_lines,
    without,
)
from ecart.operations.change import Change, Rules, set_frozen_field, tombstone_for
from ecart.stored_text import extra_text, title_text


class AddItem(Change, frozen=True, kw_only=True):
    """Adds units of a SKU to its line, making the line, and the cart, as needed.

    What is given replaces what the line had: `unit_price`, `title`, `details`. What is None
    stays. Any amount is taken for a price, and made exact. An empty cart takes the currency of its
    first price.
    """

    identity = ("line_id", "quantity", "unit_price", "currency", "title", "details")

    sku: str
    quantity: int = 1
    unit_price: Decimal | None = None
    currency: str = ""
    title: str | None = None
    options: Options = {}
    details: Details | None = None
    line_id: str = ""

    def __post_init__(self) -> None:
        check_sku(self.sku)
        check_quantity(self.quantity, at_least=1, limit=self.rules.max_quantity, may_be_price=True)
        if self.unit_price is not None:
            set_frozen_field(self, "unit_price", parse_amount(self.unit_price))
        if self.currency:
            check_currency(self.currency)
        else:
            set_frozen_field(self, "currency", self.rules.currency)
        if self.title is not None:
            check_title(self.title)
        if self.options:
            set_frozen_field(self, "options", checked_options(self.options))
        if self.details is not None:
            set_frozen_field(
                self, "details", checked_details(self.details, self.rules.max_details_bytes)
            )
        text = title_text(self.title) + extra_text(self.options, self.details)
        if len(text.encode()) > self.rules.max_line_bytes:
            raise LineTooLargeError(self.rules.max_line_bytes)
        set_frozen_field(self, "line_id", line_id_for(self.sku, self.options))
        super().__post_init__()

    def touched_line_id(self) -> str:
        return self.line_id

    def _works_on(self, cart: CartSnapshot) -> tuple[State, ...]:
        keeps = cart.lock is not None and cart.lock.keeps_additions
        return ("open", "gone", "locked") if keeps else ("open", "gone")

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        cart = created(cart, self.currency, now_ms)
        old = find_line(cart, self.line_id)
        quantity = self.quantity + (old.quantity if old else 0)
        if quantity > self.rules.max_quantity:
            raise QuantityLimitExceededError(self.rules.max_quantity)
        if old is None and cart.line_count >= self.rules.max_lines:
            raise LineLimitExceededError(self.rules.max_lines)
        cart = in_currency(cart, None if self.unit_price is None else self.currency)
        if cart.lock and self.line_id not in cart.ordered:
            ordered = {**cart.ordered, self.line_id: old.quantity if old else 0}
            cart = replace(cart, ordered=ordered)
        if old is None:
            cart = replace(cart, last_position=cart.last_position + 1)
        lines = (*without(cart, self.line_id), self._line(cart, old, quantity))
        return grown(cart, lines, self.rules.max_cart_bytes)

    def _line(self, cart: CartSnapshot, old: LineItem | None, quantity: int) -> LineItem:
        if old is None:
            old = LineItem(
                line_id=self.line_id,
                quantity=quantity,
                position=cart.last_position,
                options=dict(self.options),  # the operation may be cached
            )
        return replace(
            old,
            quantity=quantity,
            unit_price=old.unit_price if self.unit_price is None else self.unit_price,
            title=old.title if self.title is None else self.title,
            details=old.details if self.details is None else self.details,
        )


def make_add_item(
    sku: str,
    quantity: int,
    unit_price: Any,
    title: str | None,
    options: Options | None,
    rules: Rules,
    expected: tuple[Version, ...] = (),
    operation_id: str | None = None,
    details: Details | None = None,
    currency: str = "",
    fingerprint: str = "",
    want_cart: bool = False,
) -> AddItem:
    """Makes an `AddItem`; a cached one, if it carries nothing that is specific to a cart."""
    is_plain = not options and details is None
    if is_plain and not expected and operation_id is None and not fingerprint:
        try:
            # Zero is never cached: -0 equals it, and is no amount.
            if unit_price or unit_price is None:
                return _cached_add_item(
                    sku, quantity, unit_price, title, rules, currency, want_cart
                )
        except (TypeError, ValueError):
            pass  # not hashable, or not valid: AddItem raises
    return AddItem(
        sku=sku,
        quantity=quantity,
        unit_price=unit_price,
        title=title,
        options={} if options is None else options,
        details=details,
        currency=currency,
        rules=rules,
        expected=expected,
        operation_id=operation_id,
        fingerprint=fingerprint,
        want_cart=want_cart,
    )


# Decision 42. By type, too: `True` equals 1, and is no quantity.
@lru_cache(maxsize=2048, typed=True)
def _cached_add_item(
    sku: str,
    quantity: int,
    unit_price: Any,
    title: str | None,
    rules: Rules,
    currency: str,
    want_cart: bool,
) -> AddItem:
    return AddItem(
        sku=sku,
        quantity=quantity,
        unit_price=unit_price,
        title=title,
        rules=rules,
        currency=currency,
        want_cart=want_cart,
    )


class SetQuantity(Change, frozen=True, kw_only=True):
    """Replaces the quantity of a line; 0 removes the line."""

    identity = ("line_id", "quantity")

    line_id: str
    quantity: int

    def __post_init__(self) -> None:
        check_line_id(self.line_id)
        check_quantity(self.quantity, at_least=0, limit=self.rules.max_quantity)
        super().__post_init__()

    def touched_line_id(self) -> str:
        return self.line_id

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        line = line_in(cart, self.line_id)
        others = without(cart, self.line_id)
        if self.quantity == 0:
            return with_lines(cart, others)
        return with_lines(cart, (*others, replace(line, quantity=self.quantity)))


class RemoveLine(Change, frozen=True, kw_only=True):
    """Takes a line out of the cart, whatever its quantity."""

    identity = ("line_id",)

    line_id: str

    def __post_init__(self) -> None:
        check_line_id(self.line_id)
        super().__post_init__()

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        line_in(cart, self.line_id)
        return with_lines(cart, without(cart, self.line_id))


class PutLines(Change, frozen=True, kw_only=True):
    """Makes the cart hold these lines as they are given; its other lines stay.

    `other` are fields of the cart that it is to have as well.
    """

    identity = ("line_values", "currency")

    lines: tuple[LineItem, ...]
    currency: str
    other: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        check_currency(self.currency)
        check_distinct(self.lines)
        for line in self.lines:
            check_quantity(line.quantity, at_least=1, limit=self.rules.max_quantity)
        super().__post_init__()

    @property
    def line_values(self) -> list[dict[str, Any]]:
        """The lines as the fingerprint covers them: a field that is added later, only if set."""
        return [
            {name: value for name, value in asdict(line).items() if value or name in _FIRST_FIELDS}
            for line in self.lines
        ]

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        if not self.lines:
            return None
        cart = created(cart, self.currency, now_ms)
        mine = {line.line_id: line for line in cart.lines}
        last = cart.last_position
        for line in self.lines:
            if line.line_id in mine:
                position = mine[line.line_id].position
            else:
                last += 1
                position = last
            mine[line.line_id] = replace(line, position=position)
        if len(mine) > self.rules.max_lines:
            raise LineLimitExceededError(self.rules.max_lines)
        priced = any(line.unit_price is not None for line in self.lines)
        cart = in_currency(cart, self.currency if priced else None)
        other = {**cart.other, **self.other}
        cart = replace(cart, last_position=last, other=other)
        return grown(cart, mine.values(), self.rules.max_cart_bytes)


_FIRST_FIELDS = ("line_id", "quantity", "unit_price", "position", "title", "options", "details")
"""The fields of a line in fingerprints from the beginning: they never change."""


class Clear(Change, frozen=True, kw_only=True):
    """Removes every line; the cart itself stays, with its id and its version."""

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        return with_lines(cart, ()) if cart.exists else tombstone_for(cart, self, now_ms)
