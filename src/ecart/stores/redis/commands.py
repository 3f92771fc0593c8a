"""What an operation is on the wire: a script call for each change, plain commands for reads.

Each change names the arguments of its script; a name too many or too few fails at import.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ecart import operations
from ecart.money import canonical_text
from ecart.operations import Change
from ecart.stores.redis.fields import extra_text, line_field, line_text, title_text
from ecart.stores.redis.lanes import Lane
from ecart.stores.redis.scripts import Script, load_script
from ecart.stores.redis.states import target_text

Argument = str | int
Arguments = dict[str, Callable[[Any], Argument]]


class Call(msgspec.Struct, frozen=True):
    """One change of one cart, ready to be sent, as often as it takes, to the same effect."""

    script: Script
    key: str
    arguments: tuple[Argument, ...]
    name: str | None
    lane: Lane

    @property
    def operation_id(self) -> str:
        """What to ask for with `resolve`: the caller's own name for the change, or its lane's."""
        return self.name or self.lane.operation_id

    def by_sha(self) -> tuple[Argument, ...]:
        """The command that names the script."""
        return ("EVALSHA", self.script.sha, 1, self.key, *self.arguments)

    def by_text(self) -> tuple[Argument, ...]:
        """The command that brings the script along, for an engine that does not know it."""
        return ("EVAL", self.script.text, 1, self.key, *self.arguments)


_EVERY_CHANGE = (
    "record", "sequence", "fingerprint", "digest", "expected", "epoch", "ttl", "want_cart",
)  # fmt: skip


_OF_CHANGE: dict[type[Change], Arguments] = {
    operations.AddItem: {
        "line": lambda op: line_field(op.line_id),
        "quantity": lambda op: op.quantity,
        "unit_price": lambda op: "" if op.unit_price is None else canonical_text(op.unit_price),
        "currency": lambda op: op.currency,
        "title": lambda op: title_text(op.title),
        "extra": lambda op: extra_text(op.options, op.details),
        "max_quantity": lambda op: op.rules.max_quantity,
        "max_lines": lambda op: op.rules.max_lines,
    },
    operations.SetQuantity: {
        "line": lambda op: line_field(op.line_id),
        "quantity": lambda op: op.quantity,
    },
    operations.RemoveLine: {"line": lambda op: line_field(op.line_id)},
    operations.PutLines: {
        "currency": lambda op: op.currency,
        "max_lines": lambda op: op.rules.max_lines,
        "priced": lambda op: "1" if any(line.unit_price is not None for line in op.lines) else "0",
        "count": lambda op: len(op.lines),
    },
    operations.BeginCheckout: {
        "checkout_id": lambda op: op.checkout_id,
        "milliseconds": lambda op: op.hold_ms,
        "keeps": lambda op: "1" if op.keeps_additions else "0",
    },
    operations.CompleteCheckout: {"checkout_id": lambda op: op.checkout_id},
    operations.ReleaseCheckout: {"checkout_id": lambda op: op.checkout_id},
    operations.BeginMerge: {
        "merge_id": lambda op: op.merge.merge_id,
        "policy": lambda op: op.merge.policy,
        "target": lambda op: target_text(op.merge.target_id),
    },
    operations.MergeLines: {
        "target_epoch": lambda op: op.epoch,
        "policy": lambda op: op.policy,
        "currency": lambda op: op.currency,
        "max_quantity": lambda op: op.rules.max_quantity,
        "max_lines": lambda op: op.rules.max_lines,
        "priced": lambda op: "1" if any(line.unit_price is not None for line in op.lines) else "0",
        "count": lambda op: len(op.lines),
    },
    operations.EndMerge: {
        "merge_id": lambda op: op.merge_id,
        "is_merged": lambda op: "1" if op.is_merged else "0",
    },
    operations.Clear: {"currency": lambda op: op.rules.currency},
    operations.Destroy: {"currency": lambda op: op.rules.currency},
    operations.SetTtl: {
        "currency": lambda op: op.rules.currency,
        "cart_ttl": lambda op: op.ttl_ms,
    },
    operations.Prolong: {"early": lambda op: op.early_ms},
    operations.Purge: {"purged_epoch": lambda op: op.epoch},
}


def _expected(versions: tuple[operations.Version, ...]) -> str:
    texts = (f'"{version}"' if isinstance(version, str) else str(version) for version in versions)
    return "\n".join(("", *texts, ""))


_WITH_TAIL = (operations.PutLines, operations.MergeLines)


def _tail(change: Any) -> Iterable[str]:
    for line in change.lines:
        yield line_field(line.line_id)
        yield line_text(line)


def script_name(change: type[Change]) -> str:
    """`AddItem`: `add_item`."""
    name = change.__name__
    return name[0].lower() + "".join(f"_{c.lower()}" if c.isupper() else c for c in name[1:])


class _Signature(msgspec.Struct, frozen=True):
    script: Script
    own: tuple[Callable[[Any], Argument], ...]
    has_tail: bool


def _signature(change: type[Change]) -> _Signature:
    script = load_script(script_name(change))
    named = (*_EVERY_CHANGE, *_OF_CHANGE[change])
    if script.arguments != named:
        raise ValueError(f"{script.name}.lua takes {script.arguments}, not {named}")
    return _Signature(script, tuple(_OF_CHANGE[change].values()), issubclass(change, _WITH_TAIL))


_SIGNATURES = {change: _signature(change) for change in _OF_CHANGE}


def build_call(key: str, change: Change, lane: Lane) -> Call:
    """The script call for a change, recorded under the caller's operation id or under the lane."""
    signature, operation_id = _SIGNATURES[type(change)], change.operation_id
    if operation_id is None:
        record, sequence, digest = lane.field, lane.sequence, lane.digest
    else:
        kind = "&" if isinstance(change, operations.MergeLines) else "#"
        record, sequence = record_of(operation_id, kind)
        digest = _digest(operation_id, 6)
    arguments = (
        record,
        sequence,
        change.fingerprint,
        digest,
        _expected(change.expected) if change.expected else "",
        lane.epoch,
        change.rules.ttl_ms,
        "1" if change.want_cart else "0",
        *[value(change) for value in signature.own],
    )
    if signature.has_tail:
        arguments = (*arguments, *_tail(change))
    return Call(signature.script, key, arguments, operation_id, lane)


def record_of(operation_id: str, kind: str = "#") -> tuple[str, int]:
    """The field that records an operation id, and its number there."""
    if operation_id.startswith("~"):
        return operations.lane_of(operation_id)
    return kind + _digest(operation_id, 12), 1


def _digest(text: str, size: int) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=size).digest()
    return urlsafe_b64encode(digest).decode()
