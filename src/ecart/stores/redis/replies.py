"""What a script's reply means: a change's result, or the error that it names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from ecart.errors import (
    CartMergedError,
    CartMergingError,
    CorruptCartError,
    EcartError,
    LineLimitExceededError,
    LineNotFoundError,
    QuantityLimitExceededError,
    RefusedError,
    VersionConflictError,
)
from ecart.model import CartChange, CartSummary, LineItem, MergeReport
from ecart.operations import Change, MergeLines
from ecart.stores.redis.codec import (
    as_mapping,
    line_field,
    read_header,
    read_line,
    read_merge,
    read_snapshot,
)

APPLIED = (b"0", b"1", b"2")
"""The first part of a reply to a change that is applied (`answer.lua`). Any other is a code."""

_REPLAYED = b"1"

_REFUSALS: dict[str, Callable[..., EcartError]] = {
    **{kind.code: kind for kind in RefusedError.__subclasses__()},
    "cart_merged": lambda target: CartMergedError(unquote(target)),
    "cart_merging": lambda *merge: CartMergingError(read_merge(*merge)),
    "line_limit_exceeded": lambda limit: LineLimitExceededError(int(limit)),
    "quantity_limit_exceeded": lambda limit: QuantityLimitExceededError(int(limit)),
    "version_conflict": lambda version: VersionConflictError(int(version)),
}
"""Errors by their codes; those that scripts send with details have a reader of their own."""


def mark_of(reply: Any) -> bytes:
    """The first part of a script's reply: one of `APPLIED`, or the code of a refusal."""
    mark: bytes = reply[:1] if isinstance(reply, bytes) else reply[0]
    return mark


def read_change(key: str, cart_id: str, change: Change, reply: Any) -> CartChange:
    """The result in a script's reply.

    Raises:
        RefusedError: the reply names a refusal.
        CorruptCartError: the script could not read the cart.
    """
    mark = mark_of(reply)
    if mark not in APPLIED:
        raise _refusal(key, change, reply)
    is_replay = mark == _REPLAYED
    report = _report(change, reply, is_replay) if isinstance(change, MergeLines) else None
    load = partial(_load_cart, key, cart_id, change, reply)
    if change.want_cart:
        return CartChange(*load(), is_replay, report)
    return CartChange(None, None, is_replay, report, load=load)


def _load_cart(
    key: str, cart_id: str, change: Change, reply: Any
) -> tuple[CartSummary, LineItem | None]:
    currency, line_id = change.rules.currency, change.touched_line_id()
    field = b"" if line_id is None else line_field(line_id).encode()
    if change.want_cart:
        fields = as_mapping(reply[1])
        summary: CartSummary = read_snapshot(key, cart_id, currency, fields)
        text = fields.get(field)
    else:
        _, v, c, m, s, text = reply.split(b"\n", 5)
        summary = read_header(key, cart_id, currency, (v, c, s, m))
    return summary, read_line(key, field, text) if field and text else None


def _report(change: MergeLines, reply: Any, replayed: bool) -> MergeReport:
    counts = reply.rpartition(b"\n")[2] if isinstance(reply, bytes) else reply[-1]
    added, raised, clamped, left = map(int, counts.split(b"|"))
    return MergeReport(change.merge_id, added, raised, clamped, left, replayed)


def _refusal(key: str, change: Change, reply: Any) -> EcartError:
    code, *details = (part.decode() for part in reply)
    if code == "corrupt_cart":
        return CorruptCartError(key, details[0])
    if code == "line_not_found":
        return LineNotFoundError(getattr(change, "line_id", ""))
    return _REFUSALS[code](*details)
