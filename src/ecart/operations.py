"""What can be done to one cart, as values. `apply()` is the executable specification.

The memory store runs `apply()`; the Redis store turns each change into one call of the script of
the same name (`AddItem`: `add_item.lua`), and a property test holds that both agree, refusals
included. Nothing here does I/O, and a refusal raises before anything is made.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from ecart.errors import (
    AmountOutOfRangeError,
    CurrencyMismatchError,
    IdempotencyKeyReusedError,
    InvalidDetailsError,
    InvalidLineIdError,
    InvalidOperationIdError,
    InvalidOptionsError,
    InvalidQuantityError,
    InvalidTitleError,
    InvalidTtlError,
    InvalidVersionError,
    LineLimitExceededError,
    LineNotFoundError,
    QuantityLimitExceededError,
    TooManyOperationsError,
    VersionConflictError,
)
from ecart.model import (
    CartChange,
    CartSnapshot,
    CartSummary,
    Details,
    LineItem,
    Options,
    canonical_json,
    check_line_id,
    check_sku,
    has_only_characters,
    line_id_for,
)
from ecart.money import MAX_UNITS, add_up, canonical_text, check_currency, parse_amount

WEEK = 604_800
"""Seconds that a cart lives after its last change, unless told otherwise."""

YEAR = 365 * 24 * 3600
TOMBSTONE_MS = 15 * 60 * 1000
KEY_HORIZON_MS = 24 * 3600 * 1000
MAX_KEYS = 1000
"""Young operation ids that one cart remembers; beyond, changes that bring one are refused."""

Result = TypeVar("Result", covariant=True)
Ttl = int | timedelta | None
Version = int | str
"""A version number, or the `etag` of a snapshot, which is exact also across expiry."""


def ttl_milliseconds(ttl: Ttl) -> int:
    """A time to live in milliseconds; 0 for never (`None`).

    Raises:
        InvalidTtlError: not whole seconds or a `timedelta` from 1 second to 365 days.
    """
    if ttl is None:
        return 0
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if isinstance(ttl, bool) or not isinstance(seconds, (int, float)) or not 1 <= seconds <= YEAR:
        raise InvalidTtlError("a ttl is 1 second to 365 days, or None for never")
    if isinstance(ttl, float):
        raise InvalidTtlError("a ttl is whole seconds; use a timedelta for fractions")
    return round(seconds * 1000)


class Rules(msgspec.Struct, frozen=True):
    """What holds for every change made through one handle.

    `ttl_ms` (0: never) starts again with each change; `currency` is that of prices given without
    one. Limits: `max_quantity` units a line (at most 1,000,000), `max_lines` lines a cart,
    `max_details_bytes` of JSON a line.
    """

    ttl_ms: int = WEEK * 1000
    currency: str = "USD"
    max_quantity: int = 9_999
    max_lines: int = 500
    max_details_bytes: int = 1024

    def __post_init__(self) -> None:
        check_currency(self.currency)
        if not 1 <= self.max_quantity <= 1_000_000 or not 1 <= self.max_lines <= 10_000:
            raise ValueError("max_quantity is 1 to 1,000,000 and max_lines 1 to 10,000")


class Record(msgspec.Struct, frozen=True):
    """That an operation id has been applied, and to what."""

    fingerprint: str
    time_ms: int


class StoredCart(msgspec.Struct, frozen=True):
    """Everything that one cart's key holds: what readers see, and the records behind it."""

    snapshot: CartSnapshot
    records: Mapping[str, Record] = {}


class Operation(msgspec.Struct, Generic[Result], frozen=True, kw_only=True):
    """Something to do to one cart, read or change, under the rules of the handle it came from."""

    rules: Rules = Rules()

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, Result]:
        """The cart after the operation, and the operation's result."""
        raise AssertionError(f"{type(self).__name__} says nothing of its meaning")


class Read(Operation[Result], Generic[Result], frozen=True, kw_only=True):
    """An operation that changes nothing: repeating it is always safe."""


class GetCart(Read[CartSnapshot], frozen=True):
    """Reads the cart with all its lines."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartSnapshot]:
        return stored, stored.snapshot


class GetSummary(Read[CartSummary], frozen=True):
    """Reads counters and version without loading the lines."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartSummary]:
        return stored, summary_of(stored.snapshot)


class GetTtl(Read[int], frozen=True):
    """Reads how long the cart has to live, in milliseconds: -1 for ever, -2 no cart (as Redis)."""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, int]:
        cart = stored.snapshot
        if not cart.exists:
            return stored, -2
        return stored, cart.updated_ms + cart.ttl_ms - now_ms if cart.ttl_ms else -1


class GetLine(Read[LineItem | None], frozen=True, kw_only=True):
    """Reads one line; None if the cart does not have it."""

    line_id: str

    def __post_init__(self) -> None:
        check_line_id(self.line_id)

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, LineItem | None]:
        return stored, find_line(stored.snapshot, self.line_id)


class Change(Operation[CartChange], frozen=True, kw_only=True):
    """An operation that takes effect once, however often it is repeated.

    `operation_id` is the caller's name for this very change, remembered for 24 hours;
    `fingerprint` is what a repeat must agree in (by default: the operation and its arguments).
    `expected` holds versions or entity tags of which the cart must match one. With `want_cart`
    the result carries the whole cart.
    """

    identity: ClassVar[tuple[str, ...]] = ()
    """The fields that the fingerprint covers."""

    operation_id: str | None = None
    fingerprint: str = ""
    expected: tuple[Version, ...] = ()
    want_cart: bool = False

    def __post_init__(self) -> None:
        if self.operation_id is not None:
            _check_operation_id(self.operation_id)
        if self.expected:
            _check_versions(self.expected)
        if not self.fingerprint:
            _set(self, "fingerprint", self._own_fingerprint())

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartChange]:
        """Repeat? expected version? then the change itself, the next version and the record."""
        record = self._record_in(stored, now_ms)
        if record is not None:
            if record.fingerprint != self.fingerprint:
                raise IdempotencyKeyReusedError
            return stored, self._result(stored.snapshot, self._touched(), replayed=True)
        if self.expected and not _matches(stored.snapshot, self.expected):
            raise VersionConflictError(stored.snapshot.version)
        changed = self._change(stored.snapshot, now_ms)
        if changed is None:
            return stored, self._result(stored.snapshot, None)
        records = self._recorded(stored.records, now_ms)
        stamped = self._stamp(changed, now_ms)
        return StoredCart(stamped, records), self._result(stamped, self._touched())

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        """The cart with this operation's effect; None if there is nothing to change."""
        raise AssertionError(f"{type(self).__name__} says nothing of its effect")

    def _touched(self) -> str | None:
        """The id of the line that the result shows."""
        return None

    def _own_fingerprint(self) -> str:
        parts = [type(self).__name__, *(repr(getattr(self, name)) for name in self.identity)]
        return short_digest("\x1f".join(parts))

    def _record_in(self, stored: StoredCart, now_ms: int) -> Record | None:
        record = stored.records.get(self.operation_id) if self.operation_id else None
        return record if record and now_ms - record.time_ms < KEY_HORIZON_MS else None

    def _recorded(self, records: Mapping[str, Record], now_ms: int) -> Mapping[str, Record]:
        if self.operation_id is None:
            return records
        young = {k: r for k, r in records.items() if now_ms - r.time_ms < KEY_HORIZON_MS}
        if len(young) >= MAX_KEYS:
            raise TooManyOperationsError
        return {**young, self.operation_id: Record(self.fingerprint, now_ms)}

    def _stamp(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        ttl_ms = cart.ttl_ms if cart.ttl_pinned else self.rules.ttl_ms
        return replace(
            cart,
            version=cart.version + 1,
            digest=new_token(),
            updated_ms=now_ms,
            ttl_ms=TOMBSTONE_MS if cart.state == "gone" else ttl_ms,
        )

    def _result(
        self, cart: CartSnapshot, line_id: str | None, replayed: bool = False
    ) -> CartChange:
        summary = cart if self.want_cart else summary_of(cart)
        line = None if line_id is None else find_line(cart, line_id)
        return CartChange(summary, line, replayed)


class AddItem(Change, frozen=True, kw_only=True):
    """Adds units of a SKU to its line, making the line, and the cart, as needed.

    What is given replaces what the line had: `unit_price`, `title`, `details`. What is None
    stays. An empty cart takes the currency of its first price.
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
        check_quantity(self.quantity, at_least=1, limit=self.rules.max_quantity)
        if self.unit_price is not None:
            _set(self, "unit_price", parse_amount(self.unit_price))
        _set(self, "currency", check_currency(self.currency or self.rules.currency))
        if self.title is not None:
            _check_title(self.title)
        if self.options:
            _set(self, "options", _checked_options(self.options))
        if self.details is not None:
            _set(self, "details", _checked_details(self.details, self.rules.max_details_bytes))
        _set(self, "line_id", line_id_for(self.sku, self.options))
        super().__post_init__()

    def _touched(self) -> str:
        return self.line_id

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        cart = _reborn(cart, self.currency, now_ms)
        old = find_line(cart, self.line_id)
        quantity = self.quantity + (old.quantity if old else 0)
        if quantity > self.rules.max_quantity:
            raise QuantityLimitExceededError(self.rules.max_quantity)
        if old is None and cart.line_count >= self.rules.max_lines:
            raise LineLimitExceededError(self.rules.max_lines)
        cart = _in_currency(cart, None if self.unit_price is None else self.currency)
        if old is None:
            cart = replace(cart, last_position=cart.last_position + 1)
        return with_lines(cart, (*_without(cart, self.line_id), self._line(cart, old, quantity)))

    def _line(self, cart: CartSnapshot, old: LineItem | None, quantity: int) -> LineItem:
        if old is None:
            old = LineItem(
                line_id=self.line_id,
                quantity=quantity,
                position=cart.last_position,
                options=self.options,
            )
        return replace(
            old,
            quantity=quantity,
            unit_price=old.unit_price if self.unit_price is None else self.unit_price,
            title=old.title if self.title is None else self.title,
            details=old.details if self.details is None else self.details,
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

    def _touched(self) -> str:
        return self.line_id

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        line = _line_in(cart, self.line_id)
        others = _without(cart, self.line_id)
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
        _line_in(cart, self.line_id)
        return with_lines(cart, _without(cart, self.line_id))


class PutLines(Change, frozen=True, kw_only=True):
    """Makes the cart hold these lines as they are given; its other lines stay."""

    identity = ("lines", "currency")

    lines: tuple[LineItem, ...]
    currency: str

    def __post_init__(self) -> None:
        check_currency(self.currency)
        if len({line.line_id for line in self.lines}) < len(self.lines):
            raise InvalidLineIdError("a line is put only once")
        for line in self.lines:
            check_quantity(line.quantity, at_least=1, limit=self.rules.max_quantity)
        super().__post_init__()

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        if not self.lines:
            return None
        cart = _reborn(cart, self.currency, now_ms)
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
        cart = _in_currency(cart, self.currency if priced else None)
        return with_lines(replace(cart, last_position=last), mine.values())


class Clear(Change, frozen=True, kw_only=True):
    """Removes every line; the cart itself stays, with its id and its version."""

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        return with_lines(cart, ()) if cart.exists else None


class Destroy(Change, frozen=True, kw_only=True):
    """Ends the cart, and keeps its records a while so that no late retry brings it back."""

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        if not cart.exists:
            return None
        return replace(with_lines(cart, ()), state="gone", last_position=0)


class SetTtl(Change, frozen=True, kw_only=True):
    """Gives the cart a life of its own, which later changes keep. 0 milliseconds: never expires."""

    identity = ("ttl_ms",)

    ttl_ms: int

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        return replace(cart, ttl_ms=self.ttl_ms, ttl_pinned=True) if cart.exists else None


class Purge(Change, frozen=True, kw_only=True):
    """Erases the cart of this epoch and every record of it; another epoch is left alone."""

    identity = ("epoch",)

    epoch: str

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartChange]:
        cart = stored.snapshot
        if cart.epoch != self.epoch:
            # Not the cart that was meant, or no longer: this may be a repeat.
            return stored, self._result(cart, None)
        record = self._record_in(stored, now_ms)
        if record is not None and record.fingerprint != self.fingerprint:
            raise IdempotencyKeyReusedError
        if self.expected and not _matches(cart, self.expected):
            raise VersionConflictError(cart.version)
        absent = absent_cart(cart.cart_id, self.rules.currency)
        return absent, self._result(absent.snapshot, None)


def absent_cart(cart_id: str, currency: str) -> StoredCart:
    """How a cart that nobody has put anything into reads."""
    return StoredCart(CartSnapshot(cart_id=cart_id, currency=currency))


def summary_of(cart: CartSnapshot) -> CartSummary:
    """The cart without its lines."""
    return CartSummary(*(getattr(cart, name) for name in CartSummary.__struct_fields__))


def find_line(cart: CartSnapshot, line_id: str) -> LineItem | None:
    """The line with this id, if the cart has it."""
    return next((line for line in cart.lines if line.line_id == line_id), None)


def with_lines(cart: CartSnapshot, lines: Any) -> CartSnapshot:
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


def check_quantity(quantity: object, *, at_least: int, limit: int) -> int:
    """`quantity` if a line can have it.

    Raises:
        InvalidQuantityError: not an `int`, or below `at_least`.
        QuantityLimitExceededError: above `limit`.
    """
    if type(quantity) is not int or quantity < at_least:
        raise InvalidQuantityError(f"a quantity is a whole number, {at_least} or more")
    if quantity > limit:
        raise QuantityLimitExceededError(limit)
    return quantity


def short_digest(text: str) -> str:
    """Eight characters that differ when the text differs."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def new_token() -> str:
    """A random name of 64 bits: eleven URL-safe characters."""
    return secrets.token_urlsafe(8)


def _set(operation: Operation[Any], name: str, value: object) -> None:
    """Puts the canonical form of an argument in place while the value is being made."""
    msgspec.structs.force_setattr(operation, name, value)


def _check_operation_id(operation_id: object) -> None:
    if not isinstance(operation_id, str) or not has_only_characters(operation_id, 1, 255):
        raise InvalidOperationIdError(
            "an operation id is 1 to 255 characters without control characters"
        )


def _check_versions(expected: tuple[Version, ...]) -> None:
    for version in expected:
        number = type(version) is int and 0 <= version < MAX_UNITS
        tag = isinstance(version, str) and has_only_characters(version, 1, 255)
        if not number and not tag:
            raise InvalidVersionError("an expected version is a number, or the etag of a cart")


def _check_title(title: object) -> None:
    if not isinstance(title, str) or not has_only_characters(title, 0, 256):
        raise InvalidTitleError("a title is at most 256 characters without control characters")


def _checked_options(options: object) -> Options:
    if not isinstance(options, Mapping) or len(options) > 16:
        raise InvalidOptionsError("options are a mapping of at most 16 names")
    for name, value in options.items():
        if not isinstance(name, str) or not has_only_characters(name, 1, 64):
            raise InvalidOptionsError("an option's name is 1 to 64 characters")
        if not _is_option_value(value):
            raise InvalidOptionsError(f"option {name!r} is a short string, an int, a bool or None")
    return dict(options)


def _is_option_value(value: object) -> bool:
    if isinstance(value, str):
        return has_only_characters(value, 0, 128)
    return value is None or isinstance(value, bool) or (type(value) is int and abs(value) < 2**53)


def _checked_details(details: object, limit: int) -> Details:
    if not isinstance(details, Mapping):
        raise InvalidDetailsError("details are a JSON object")
    try:
        text = canonical_json(dict(details))
        # A lone surrogate would poison every later answer that shows it.
        json.dumps(details, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidDetailsError("details are a JSON object of plain, finite values") from error
    if len(text) > limit:
        raise InvalidDetailsError(f"details are at most {limit} bytes of JSON")
    plain: Details = json.loads(text)
    return plain


def _matches(cart: CartSummary, expected: tuple[Version, ...]) -> bool:
    return cart.version in expected or cart.etag in expected


def _reborn(cart: CartSnapshot, currency: str, now_ms: int) -> CartSnapshot:
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


def _in_currency(cart: CartSnapshot, currency: str | None) -> CartSnapshot:
    if currency is None or cart.currency == currency:
        return cart
    if cart.lines:
        raise CurrencyMismatchError(cart.currency, currency)
    return replace(cart, currency=currency)


def _line_in(cart: CartSnapshot, line_id: str) -> LineItem:
    line = find_line(cart, line_id)
    if line is None:
        raise LineNotFoundError(line_id)
    return line


def _without(cart: CartSnapshot, line_id: str) -> tuple[LineItem, ...]:
    return tuple(line for line in cart.lines if line.line_id != line_id)


def price_text(line: LineItem) -> str:
    """The line's price as the store spells it; empty while there is none."""
    return "" if line.unit_price is None else canonical_text(line.unit_price)
