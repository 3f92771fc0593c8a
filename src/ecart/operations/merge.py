"""Merging one cart into another, in three steps that each can be repeated.

`BeginMerge` freezes the source; `MergeLines` takes its lines into the target, which is the commit
point; `EndMerge` ends the source. `ecart.flows.merge` performs the steps, and any flow
that meets a half-done merge performs the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from msgspec.structs import replace

from ecart.errors import (
    AmountOutOfRangeError,
    CartTooLargeError,
    CurrencyMismatchError,
    InvalidPolicyError,
    MergeRefusedError,
    RefusedError,
    VersionConflictError,
)
from ecart.model import (
    LINE_ATTRIBUTES,
    CartChange,
    CartSnapshot,
    LineItem,
    Merge,
    MergePolicy,
    MergeReport,
    State,
)
from ecart.money import check_currency
from ecart.operations.arguments import check_distinct, check_token
from ecart.operations.carts import created, find_line, grown, without
from ecart.operations.change import (
    MAX_KEYS,
    Change,
    Record,
    RecordedRefusalError,
    StoredCart,
    set_frozen_field,
)

HORIZON_MS = 8 * 24 * 3600 * 1000
"""How long the target knows a merge: longer than the source can still ask for it."""


class BeginMerge(Change, frozen=True, kw_only=True):
    """Freezes the cart to be merged. Later changes get `CartMergingError` with the merge."""

    identity = ("merge",)

    merge: Merge

    def __post_init__(self) -> None:
        _check_merge(self.merge.merge_id, self.merge.policy)
        super().__post_init__()

    def _works_on(self, cart: CartSnapshot) -> tuple[State, ...]:
        return ("open", "gone", "merging", "merged")

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        if not cart.lines or cart.state != "open":
            return None
        return replace(cart, state="merging", merge=self.merge)


class EndMerge(Change, frozen=True, kw_only=True):
    """Ends the merge of this cart: as merged, or, where the target refused, open again."""

    identity = ("merge_id", "is_merged")

    merge_id: str
    is_merged: bool

    def _works_on(self, cart: CartSnapshot) -> tuple[State, ...]:
        return ("open", "gone", "locked", "merging", "merged")

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        if cart.state != "merging" or cart.merge is None or cart.merge.merge_id != self.merge_id:
            return None
        if self.is_merged:
            return replace(cart, state="merged")
        return replace(cart, state="open", merge=None)


class MergeLines(Change, frozen=True, kw_only=True):
    """Takes another cart's lines in, by policy.

    Of a line that both have, `sum` adds the units, `max` takes the larger number, `keep_target`
    leaves the target's line, `replace` takes the source's. Price, title, details and attributes
    stay the target's where it has them, except by `replace`; so do `other` fields of the cart.

    A refusal is remembered like a success: no second try may come between it and the opening of
    the source. What the target remembers goes with its epoch, so a target of another than the
    given one, the target's before the source was read, takes nothing: `VersionConflictError`.

    A change that the source knows by its operation id is known here from then on, too: a repeat
    after the merge is a repeat. Of `records`, the youngest come first; those without room are left.
    """

    identity = ("merge_id",)

    merge_id: str
    epoch: str
    policy: MergePolicy
    lines: tuple[LineItem, ...]
    currency: str
    other: Mapping[str, str] = {}
    records: Mapping[str, Record] = {}

    def __post_init__(self) -> None:
        check_currency(self.currency)
        _check_merge(self.merge_id, self.policy)
        check_distinct(self.lines)
        set_frozen_field(self, "operation_id", self.merge_id)
        super().__post_init__()

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartChange]:
        """As every change, with a report, which a repeat returns again."""
        known = stored.records.get(f"&{self.merge_id}")
        if known is not None:
            if known.note is None:
                raise MergeRefusedError
            report = replace(known.note, replayed=True)
            return stored, self._result(stored.snapshot, None, True, report)
        if stored.snapshot.epoch != self.epoch:
            raise VersionConflictError(stored.snapshot.version)
        try:
            target = _ready(self._check_admission(stored.snapshot, now_ms), self, now_ms)
        except RefusedError as error:
            raise self._recorded_refusal(error, stored, now_ms) from error
        taken = _Taken(self, target)
        for line in self.lines:
            taken.take(line)
        first, second = (self, taken.cart) if self.policy == "replace" else (taken.cart, self)
        merged = replace(taken.cart, other={**second.other, **first.other})
        stamped = self._stamp(merged, now_ms)
        report = MergeReport(self.merge_id, taken.added, taken.raised, taken.clamped, taken.left)
        record = Record(self.fingerprint, now_ms, HORIZON_MS, report)
        records = {**self._with_records_of_source(stored, now_ms), f"&{self.merge_id}": record}
        return StoredCart(stamped, records), self._result(stamped, None, False, report)

    def _with_records_of_source(self, stored: StoredCart, now_ms: int) -> Mapping[str, Record]:
        young = {k: r for k, r in stored.records.items() if now_ms < r.time_ms + r.horizon_ms}
        for name, record in self.records.items():
            if len(young) < MAX_KEYS and now_ms < record.time_ms + record.horizon_ms:
                young.setdefault(name, record)
        return young

    def _recorded_refusal(self, error: RefusedError, stored: StoredCart, now_ms: int) -> Exception:
        if not stored.snapshot.epoch:  # a cart that is not there cannot remember
            return error
        record = Record(self.fingerprint, now_ms, HORIZON_MS)
        records = {**stored.records, f"&{self.merge_id}": record}
        return RecordedRefusalError(error, StoredCart(stored.snapshot, records))


def _check_merge(merge_id: object, policy: object) -> None:
    check_token(merge_id)
    check_policy(policy)


def check_policy(policy: object) -> None:
    """Refuses what is no merge policy (`InvalidPolicyError`)."""
    if policy not in get_args(MergePolicy):
        raise InvalidPolicyError(f"a merge policy is one of {', '.join(get_args(MergePolicy))}")


def _ready(cart: CartSnapshot, change: MergeLines, now_ms: int) -> CartSnapshot:
    """The target, made if need be, in the currency of what is coming."""
    if not cart.exists or not cart.lines:
        return replace(created(cart, change.currency, now_ms), currency=change.currency)
    priced = any(line.unit_price is not None for line in change.lines)
    if priced and cart.currency != change.currency:
        raise CurrencyMismatchError(cart.currency, change.currency)
    return cart


class _Taken:
    """The target while lines are taken in, and what came of them."""

    def __init__(self, change: MergeLines, cart: CartSnapshot) -> None:
        self.cart = cart
        self.added = self.raised = self.clamped = self.left = 0
        self._change = change

    def take(self, offered: LineItem) -> None:
        """Takes one line in, or counts it as left."""
        own = find_line(self.cart, offered.line_id)
        wanted = self._wanted(own, offered)
        if wanted is None:
            self.left += 1
            return
        quantity = min(wanted, self._change.rules.max_quantity)
        line = self._merged(own, offered, quantity)
        try:
            others = without(self.cart, offered.line_id)
            self.cart = replace(
                grown(self.cart, (*others, line), self._change.rules.max_cart_bytes),
                last_position=max(self.cart.last_position, line.position),
            )
        except (AmountOutOfRangeError, CartTooLargeError):
            self.left += 1
            return
        self.clamped += quantity < wanted
        if own is None:
            self.added += 1
        elif quantity != own.quantity or self._change.policy == "replace":
            self.raised += 1

    def _wanted(self, own: LineItem | None, offered: LineItem) -> int | None:
        """The units that the line is to have; None: it stays as it is."""
        if own is None:
            has_room = self.cart.line_count < self._change.rules.max_lines
            return offered.quantity if has_room else None
        match self._change.policy:
            case "sum":
                return own.quantity + offered.quantity
            case "max":
                return offered.quantity if offered.quantity > own.quantity else None
            case "keep_target":
                return None
            case "replace":
                return offered.quantity

    def _merged(self, own: LineItem | None, offered: LineItem, quantity: int) -> LineItem:
        if own is None:
            return replace(offered, quantity=quantity, position=self.cart.last_position + 1)
        first, second = (offered, own) if self._change.policy == "replace" else (own, offered)
        chosen = {
            name: getattr(second if getattr(first, name) is None else first, name)
            for name in ("unit_price", "title", "details", *LINE_ATTRIBUTES.values())
        }
        return replace(own, quantity=quantity, other={**second.other, **first.other}, **chosen)
