"""What all operations share: rules, repeats, states, versions, and the shape of `apply()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import ClassVar, Generic, TypeVar
from zlib import crc32

import msgspec
from msgspec.structs import replace

from ecart.errors import (
    CartLockedError,
    CartMergedError,
    CartMergingError,
    IdempotencyKeyReusedError,
    RefusedError,
    StaleOperationError,
    TooManyOperationsError,
    VersionConflictError,
)
from ecart.model import CartChange, CartSnapshot, CartSummary, MergeReport, State
from ecart.money import check_currency
from ecart.operations.arguments import (
    Version,
    check_operation_id,
    checked_versions,
    is_lane,
    new_token,
    parse_operation_id,
)
from ecart.operations.carts import (
    as_readers_see,
    as_tombstone,
    created,
    find_line,
    matches,
    summary_of,
)

WEEK = 604_800
"""Seconds that a cart lives after its last change, by default."""

KEY_HORIZON_MS = 24 * 3600 * 1000
MAX_KEYS = 1000
"""Young operation ids that one cart remembers; beyond, what adds to it is refused.

Another thousand have room for changes that end something or make the cart smaller. They are never
refused for want of room: beyond that, they are applied without being remembered.
"""

_Result = TypeVar("_Result", covariant=True)

# Replaces an argument by its canonical form in `__post_init__`.
set_frozen_field = msgspec.structs.force_setattr


class Rules(msgspec.Struct, frozen=True):
    """What holds for every change made through one handle.

    `ttl_ms` (0: never) starts again with each change; `currency` is that of prices given without
    one. Limits: `max_quantity` units a line (at most 1,000,000), `max_lines` lines a cart,
    `max_details_bytes` of JSON a line; `max_line_bytes` of title, options and details together
    (0: 1,024 more than those of details), and `max_cart_bytes` of all lines, at most 1 GiB.
    Bytes are those that are stored: see `ecart.stored_text`.
    """

    ttl_ms: int = WEEK * 1000
    currency: str = "USD"
    max_quantity: int = 9_999
    max_lines: int = 500
    max_details_bytes: int = 1024
    max_line_bytes: int = 0
    max_cart_bytes: int = 262_144

    def __post_init__(self) -> None:
        check_currency(self.currency)
        if not 1 <= self.max_quantity <= 1_000_000 or not 1 <= self.max_lines <= 10_000:
            raise ValueError("max_quantity is 1 to 1,000,000 and max_lines 1 to 10,000")
        if not 1 <= self.max_cart_bytes <= 1 << 30:
            raise ValueError("max_cart_bytes is 1 to 1,073,741,824")
        if not self.max_line_bytes:
            set_frozen_field(self, "max_line_bytes", self.max_details_bytes + 1024)


class Record(msgspec.Struct, frozen=True):
    """That an operation id has been applied: to what, when, and what a repeat returns.

    `number` is that of the last change that a client numbered itself, else 1.
    """

    fingerprint: str
    time_ms: int
    horizon_ms: int = KEY_HORIZON_MS
    note: MergeReport | None = None
    number: int = 1


class StoredCart(msgspec.Struct, frozen=True):
    """Everything that one cart's key holds: what readers see, and the records behind it."""

    snapshot: CartSnapshot
    records: Mapping[str, Record] = {}


class RecordedRefusalError(Exception):
    """A refusal that leaves a record: the store keeps `stored` and raises `error`."""

    def __init__(self, error: RefusedError, stored: StoredCart) -> None:
        super().__init__(error, stored)
        self.error = error
        self.stored = stored


class Operation(msgspec.Struct, Generic[_Result], frozen=True, kw_only=True):
    """Something to do to one cart, read or change, under the rules of the handle it came from.

    With a `session_id`, it is refused once that session has ended (`SessionEndedError`).
    """

    rules: Rules = Rules()
    session_id: str = ""

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, _Result]:
        """The cart after the operation, and the operation's result."""
        raise AssertionError(f"{type(self).__name__} does not define its meaning")


class Read(Operation[_Result], Generic[_Result], frozen=True, kw_only=True):
    """An operation that changes nothing: repeating it is always safe."""


class Change(Operation[CartChange], frozen=True, kw_only=True, dict=True):
    """An operation that takes effect once, however often it is repeated.

    `operation_id` is the caller's name for this very change, remembered for 24 hours;
    `fingerprint` is what a repeat must agree in (by default: the operation and its arguments).
    `expected` holds versions or entity tags of which the cart must match one. With `want_cart`
    the result carries the whole cart.

    In its `__dict__` a store may keep what it has made of an operation, which never changes.
    """

    identity: ClassVar[tuple[str, ...]] = ()
    """The fields that the fingerprint covers."""
    heeds_deadline: ClassVar[bool] = True
    """Whether a check-out that ran out of time is over for it."""

    operation_id: str | None = None
    fingerprint: str = ""
    expected: tuple[Version, ...] = ()
    want_cart: bool = False

    def __post_init__(self) -> None:
        if self.operation_id is not None:
            check_operation_id(self.operation_id)
        if self.expected:
            set_frozen_field(self, "expected", checked_versions(self.expected))
        if not self.fingerprint:
            mark, identity_of = _identity_of(type(self))
            fingerprint = f"{crc32(_encode(identity_of(self)), mark):08x}"
            set_frozen_field(self, "fingerprint", fingerprint)

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartChange]:
        """Repeat? state? expected version? then the change itself, next version and record."""
        record = self._record_in(stored, now_ms)
        if record is not None:
            if record.fingerprint != self.fingerprint:
                raise IdempotencyKeyReusedError
            return stored, self._result(stored.snapshot, self.touched_line_id(), replayed=True)
        cart = self._check_admission(stored.snapshot, now_ms)
        changed = self._change(cart, now_ms)
        if changed is None:
            return stored, self._result(stored.snapshot, None)
        grows = changed.total_quantity > cart.total_quantity
        records = self._recorded(stored.records, now_ms, grows)
        stamped = self._stamp(changed, now_ms)
        return StoredCart(stamped, records), self._result(stamped, self.touched_line_id())

    def _check_admission(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        """The cart that the change works on, if it is in a state and at a version that allow it."""
        if self.heeds_deadline and cart.lock and now_ms >= cart.lock.deadline_ms:
            cart = replace(cart, state="open", lock=None, ordered={})
        if cart.state not in self._works_on(cart):
            raise _refusal(cart)
        if self.expected and not matches(cart, self.expected):
            raise VersionConflictError(cart.version)
        return cart

    def _works_on(self, cart: CartSnapshot) -> tuple[State, ...]:
        """The states in which the cart takes this change."""
        return ("open", "gone")

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        """The cart with this operation's effect; None if there is nothing to change."""
        raise AssertionError(f"{type(self).__name__} does not define its effect")

    def touched_line_id(self) -> str | None:
        """The id of the line that the change touches and its result holds; None for no one line."""
        return None

    def _record_in(self, stored: StoredCart, now_ms: int) -> Record | None:
        if self.operation_id is None:
            return None
        name, number = parse_operation_id(self.operation_id)
        record = stored.records.get(name)
        if record is None or number > record.number or now_ms >= record.time_ms + record.horizon_ms:
            return None
        if number < record.number:
            raise StaleOperationError
        return record

    def _recorded(
        self, records: Mapping[str, Record], now_ms: int, grows: bool
    ) -> Mapping[str, Record]:
        if self.operation_id is None:
            return records
        name, number = parse_operation_id(self.operation_id)
        left = {k: r.time_ms + r.horizon_ms - now_ms for k, r in records.items()}
        young = {k: r for k, r in records.items() if left[k] > 0}
        if name not in young and len(young) >= MAX_KEYS:
            if grows:
                raise TooManyOperationsError(-(-min(left[k] for k in young) // 1000))
            if len(young) >= 2 * MAX_KEYS:
                return young
        return {**young, name: Record(self.fingerprint, now_ms, number=number)}

    def _stamp(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot:
        ttl_ms = cart.ttl_ms if cart.ttl_pinned else self.rules.ttl_ms
        return replace(
            cart, version=cart.version + 1, digest=new_token(), updated_ms=now_ms, ttl_ms=ttl_ms
        )

    def _result(
        self,
        cart: CartSnapshot,
        line_id: str | None,
        replayed: bool = False,
        report: MergeReport | None = None,
    ) -> CartChange:
        cart = as_readers_see(cart)
        summary = cart if self.want_cart else summary_of(cart)
        line = None if line_id is None else find_line(cart, line_id)
        return CartChange(summary, line, replayed, report)


_encode = msgspec.json.Encoder().encode


@cache
def _identity_of(kind: type[Change]) -> tuple[int, Callable[[Change], object]]:
    """The seed of the fingerprints of a kind of change, and the getter of what they cover."""
    identity_of = attrgetter(*kind.identity) if kind.identity else lambda change: ()
    return crc32(kind.__name__.encode()), identity_of


def _refusal(cart: CartSummary) -> RefusedError:
    if cart.merge is None:
        return CartLockedError()
    if cart.state == "merging":
        return CartMergingError(cart.merge)
    return CartMergedError(cart.merge.target_id)


def absent_cart(cart_id: str, currency: str) -> StoredCart:
    """How a cart that does not exist reads."""
    return StoredCart(CartSnapshot(cart_id=cart_id, currency=currency))


def tombstone_for(cart: CartSnapshot, change: Change, now_ms: int) -> CartSnapshot | None:
    """Tombstone for a named change on a missing cart, so that its retry is recognised; or None."""
    if change.operation_id is None or is_lane(parse_operation_id(change.operation_id)[0]):
        return None
    return as_tombstone(cart if cart.epoch else created(cart, change.rules.currency, now_ms))
