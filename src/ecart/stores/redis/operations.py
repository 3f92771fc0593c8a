"""How each change is sent, one row per operation, and what the reply to it means.

An operation's row is all that this store has to know about it: what its script takes besides what
every change takes, what it does to the index of carts, and where it is recorded. The script has the
operation's name: `AddItem`, `add_item.lua`. The names of arguments are compared with the script's
signature when an operation is first used, so a name too many or too few fails before anything is
sent. What a read asks for is in `reads`.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from ecart import operations
from ecart.errors import (
    CartMergedError,
    CartMergingError,
    CartTooLargeError,
    CorruptCartError,
    EcartError,
    LineLimitExceededError,
    LineNotFoundError,
    QuantityLimitExceededError,
    RefusedError,
    TooManyOperationsError,
    VersionConflictError,
)
from ecart.model import CartChange, CartSummary, LineItem, MergeReport
from ecart.money import canonical_text
from ecart.operations import Change
from ecart.stored_text import extra_text, line_field, line_text, title_text
from ecart.stores.redis.codec import (
    as_mapping,
    read_header,
    read_line,
    read_merge,
    read_snapshot,
    target_text,
)
from ecart.stores.redis.deduplication import Lane
from ecart.stores.redis.index import Effect
from ecart.stores.redis.keys import key_of_ended_session
from ecart.stores.redis.scripts import Script, load_script

Argument = str | int
Arguments = dict[str, Argument]


class ScriptCall(msgspec.Struct, frozen=True):
    """A change of one cart, ready to be sent, and sent again, to the same effect.

    `by_sha` is the command that names the script by its digest.
    """

    script: Script
    by_sha: tuple[Argument, ...]
    name: str | None
    lane: Lane
    index_effect: Effect

    @property
    def operation_id(self) -> str:
        """The id to `resolve` the change by: the caller's own, or that of its lane."""
        return self.name or self.lane.operation_id

    @property
    def by_text(self) -> tuple[Argument, ...]:
        """The command that contains the script, for an engine that does not know it yet."""
        return ("EVAL", self.script.text, *self.by_sha[2:])


class _Row(NamedTuple):
    """An operation, as this store sends it.

    `arguments` are those of its script beside the common ones, `tail` what follows them in any
    number. `record` begins the name of the record of a caller's operation id.
    """

    arguments: Callable[[Any], Arguments]
    index_effect: Effect = "touches"
    tail: Callable[[Any], Iterable[str]] | None = None
    record: str = "#"


_COMMON = (
    "record", "sequence", "digest", "epoch",  # of this one call
    "fingerprint", "expected", "ttl", "want_cart",  # of the operation
)  # fmt: skip
"""The arguments that every script takes first."""


def _lines(change: Any) -> Iterable[str]:
    for line in change.lines:
        yield line_field(line.line_id)
        yield line_text(line)
    for pair in change.other.items():
        yield from pair


def _lines_and_records(change: Any) -> Iterable[str]:
    yield from _lines(change)
    for name, record in change.records.items():
        yield name
        yield f"{record.number}|{record.fingerprint}|{record.time_ms // 1000}"


def _is_priced(change: Any) -> str:
    return "1" if any(line.unit_price is not None for line in change.lines) else "0"


_ROWS: dict[type[Change], _Row] = {
    operations.AddItem: _Row(
        lambda op: {
            "line": line_field(op.line_id),
            "quantity": op.quantity,
            "unit_price": "" if op.unit_price is None else canonical_text(op.unit_price),
            "currency": op.currency,
            "title": title_text(op.title),
            "extra": extra_text(op.options, op.details),
            "max_quantity": op.rules.max_quantity,
            "max_lines": op.rules.max_lines,
            "max_bytes": op.rules.max_cart_bytes,
        },
        "creates",
    ),
    operations.SetQuantity: _Row(
        lambda op: {
            "line": line_field(op.line_id),
            "quantity": op.quantity,
        }
    ),
    operations.RemoveLine: _Row(lambda op: {"line": line_field(op.line_id)}),
    operations.PutLines: _Row(
        lambda op: {
            "currency": op.currency,
            "max_lines": op.rules.max_lines,
            "max_bytes": op.rules.max_cart_bytes,
            "priced": _is_priced(op),
            "count": len(op.lines),
        },
        "creates",
        tail=_lines,
    ),
    operations.BeginCheckout: _Row(
        lambda op: {
            "checkout_id": op.checkout_id,
            "milliseconds": op.hold_ms,
            "keeps_additions": "1" if op.keeps_additions else "0",
        }
    ),
    operations.CompleteCheckout: _Row(lambda op: {"checkout_id": op.checkout_id}),
    operations.ReleaseCheckout: _Row(lambda op: {"checkout_id": op.checkout_id}),
    operations.BeginMerge: _Row(
        lambda op: {
            "merge_id": op.merge.merge_id,
            "policy": op.merge.policy,
            "target": target_text(op.merge.target_id),
        }
    ),
    operations.MergeLines: _Row(
        lambda op: {
            "target_epoch": op.epoch,
            "policy": op.policy,
            "currency": op.currency,
            "max_quantity": op.rules.max_quantity,
            "max_lines": op.rules.max_lines,
            "max_bytes": op.rules.max_cart_bytes,
            "priced": _is_priced(op),
            "count": len(op.lines),
            "records": len(op.records),
        },
        "creates",
        tail=_lines_and_records,
        record="&",
    ),
    operations.EndMerge: _Row(
        lambda op: {
            "merge_id": op.merge_id,
            "is_merged": "1" if op.is_merged else "0",
        },
        "ends",
    ),
    operations.Clear: _Row(lambda op: {"currency": op.rules.currency}),
    operations.Destroy: _Row(lambda op: {"currency": op.rules.currency}, "ends"),
    operations.SetTtl: _Row(
        lambda op: {
            "currency": op.rules.currency,
            "cart_ttl": op.ttl_ms,
        }
    ),
    operations.Prolong: _Row(lambda op: {"early": op.early_ms}, "ignores"),
    operations.Purge: _Row(lambda op: {"purged_epoch": op.epoch}, "removes"),
}


class _Sent(msgspec.Struct, frozen=True):
    """An operation's row, and its script, which takes what the row gives."""

    row: _Row
    script: Script


_sent: dict[type[Change], _Sent] = {}


def _load(change: Change) -> _Sent:
    kind = type(change)
    row, script = _ROWS[kind], load_script(script_name(kind))
    named = (*_COMMON, *row.arguments(change))
    if script.arguments != named:
        raise ValueError(f"{script.name}.lua takes {script.arguments}, not {named}")
    _sent[kind] = _Sent(row, script)
    return _sent[kind]


def script_name(change: type[Change]) -> str:
    """`AddItem`: `add_item`."""
    name = change.__name__
    return name[0].lower() + "".join(f"_{c.lower()}" if c.isupper() else c for c in name[1:])


def build_call(key: str, change: Change, lane: Lane) -> ScriptCall:
    """The script call for a change, recorded under the caller's operation id or under the lane."""
    sent, operation_id = _sent.get(type(change)) or _load(change), change.operation_id
    if operation_id is None:
        record, sequence, digest = lane.field, lane.sequence, lane.digest
    else:
        record, sequence = record_of(operation_id, sent.row.record)
        digest = _digest(operation_id, 6)
    arguments = change.__dict__.get("encoded_arguments") or _encode_arguments(sent.row, change)
    once = (record, sequence, digest, lane.epoch)
    keys: tuple[Argument, ...] = (1, key)
    if change.session_id:
        keys = (2, key, key_of_ended_session(key, change.session_id))
    command = ("EVALSHA", sent.script.sha, *keys, *once, *arguments)
    return ScriptCall(sent.script, command, operation_id, lane, sent.row.index_effect)


def _encode_arguments(row: _Row, change: Change) -> tuple[str, ...]:
    """The arguments that follow from the operation alone, cached on it: some are executed often."""
    expected = change.expected and "\n".join(("", *map(_version_text, change.expected), ""))
    arguments = (
        change.fingerprint,
        expected or "",
        change.rules.ttl_ms,
        "1" if change.want_cart else "0",
        *row.arguments(change).values(),
        *(row.tail(change) if row.tail else ()),
    )
    # As text, which clients pack faster than numbers.
    encoded = vars(change)["encoded_arguments"] = tuple(map(str, arguments))
    return encoded


def _version_text(version: operations.Version) -> str:
    return f'"{version}"' if isinstance(version, str) else str(version)


def record_of(operation_id: str, kind: str = "#") -> tuple[str, int]:
    """The field that records an operation id, and the number in it."""
    name, number = operations.parse_operation_id(operation_id)
    return name if operations.is_lane(name) else kind + _digest(name, 12), number


def _digest(text: str, size: int) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=size).digest()
    return urlsafe_b64encode(digest).decode()


APPLIED = (b"0", b"1", b"2")
"""The first part of a reply to a change that is applied (`reply.lua`). Any other is a code."""

EPOCH_UNUSED, _REPLAYED = b"0", b"1"

_REFUSALS: dict[str, Callable[..., EcartError]] = {
    **{kind.code: kind for kind in RefusedError.__subclasses__()},
    "too_many_operations": lambda seconds: TooManyOperationsError(int(seconds)),
    "cart_too_large": lambda limit: CartTooLargeError(int(limit)),
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


def read_change(key: str, cart_id: str, change: Change, mark: bytes, reply: Any) -> CartChange:
    """The result in a script's reply, of which `mark` is the first part.

    Raises:
        RefusedError: the reply names a refusal.
        CorruptCartError: the script could not read the cart.
    """
    if mark not in APPLIED:
        raise _refusal(key, change, reply)
    is_replay = mark == _REPLAYED
    report = (
        _report(change, reply, is_replay) if isinstance(change, operations.MergeLines) else None
    )
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


def _report(change: operations.MergeLines, reply: Any, replayed: bool) -> MergeReport:
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
