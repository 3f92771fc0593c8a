"""What a script's reply means: a change's result, or the error that it names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from ecart.errors import (
    AmountOutOfRangeError,
    CartEmptyError,
    CartLockedError,
    CartMergedError,
    CartMergingError,
    CheckoutNotOpenError,
    CorruptCartError,
    CurrencyMismatchError,
    EcartError,
    IdempotencyKeyReusedError,
    LineLimitExceededError,
    LineNotFoundError,
    MergeRefusedError,
    QuantityLimitExceededError,
    StaleOperationError,
    TooManyOperationsError,
    VersionConflictError,
)
from ecart.model import CartChange, CartSummary, LineItem, MergeReport
from ecart.operations import AddItem, Change, MergeLines, SetQuantity
from ecart.stores.redis.fields import as_mapping, line_field, read_header, read_line, read_snapshot
from ecart.stores.redis.states import read_merge

_REFUSALS: dict[str, Callable[..., EcartError]] = {
    "amount_out_of_range": AmountOutOfRangeError,
    "cart_empty": CartEmptyError,
    "cart_locked": CartLockedError,
    "cart_merged": lambda target: CartMergedError(unquote(target)),
    "cart_merging": lambda *merge: CartMergingError(read_merge(*merge)),
    "checkout_not_open": CheckoutNotOpenError,
    "merge_refused": MergeRefusedError,
    "currency_mismatch": CurrencyMismatchError,
    "idempotency_key_reused": IdempotencyKeyReusedError,
    "line_limit_exceeded": lambda limit: LineLimitExceededError(int(limit)),
    "quantity_limit_exceeded": lambda limit: QuantityLimitExceededError(int(limit)),
    "stale_operation": StaleOperationError,
    "too_many_operations": TooManyOperationsError,
    "version_conflict": lambda version: VersionConflictError(int(version)),
}


MARKS = (b"0", b"1", b"2")
"""With one of these begins the reply to a change that was done, or is known; see `reply.lua`."""


def mark_of(reply: Any) -> bytes:
    """The mark of a script's reply; of one that refuses, its code."""
    mark: bytes = reply[:1] if isinstance(reply, bytes) else reply[0]
    return mark


def read_change(key: str, cart_id: str, change: Change, reply: Any) -> CartChange:
    """The result in a script's reply.

    Raises:
        RefusedError: the reply names a refusal.
        CorruptCartError: the script could not read the cart.
    """
    mark = mark_of(reply)
    if mark not in MARKS:
        raise _refusal(key, change, reply)
    is_replay = mark == b"1"
    report = _report(change, reply, is_replay) if isinstance(change, MergeLines) else None
    read = partial(_read_cart, key, cart_id, change, reply)
    if change.want_cart:
        return CartChange(*read(), is_replay, report)
    return CartChange(None, None, is_replay, report, read=read)


def _read_cart(
    key: str, cart_id: str, change: Change, reply: Any
) -> tuple[CartSummary, LineItem | None]:
    currency, field = change.rules.currency, _touched_field(change)
    if change.want_cart:
        fields = as_mapping(reply[1])
        summary: CartSummary = read_snapshot(key, cart_id, currency, fields)
        text = fields.get(field)
    else:
        _, v, c, m, s, text = reply.split(b"\n", 5)
        summary = read_header(key, cart_id, currency, (v, c, s, m))
    return summary, read_line(key, field, text) if field and text else None


def _report(change: MergeLines, reply: Any, replayed: bool) -> MergeReport:
    shown = reply.rpartition(b"\n")[2] if isinstance(reply, bytes) else reply[-1]
    added, raised, clamped, left = map(int, shown.split(b"|"))
    return MergeReport(change.merge_id, added, raised, clamped, left, replayed)


def _touched_field(change: Change) -> bytes:
    """The field of the line that the result shows; empty for none."""
    return line_field(change.line_id).encode() if isinstance(change, _TOUCHING) else b""


_TOUCHING = (AddItem, SetQuantity)


def _refusal(key: str, change: Change, told: Any) -> EcartError:
    code, *details = (part.decode() for part in told)
    if code == "corrupt_cart":
        return CorruptCartError(key, details[0])
    if code == "line_not_found":
        return LineNotFoundError(getattr(change, "line_id", ""))
    return _REFUSALS[code](*details)
