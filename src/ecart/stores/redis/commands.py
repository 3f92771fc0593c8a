"""What a change is on the wire: a call of its script. `reads.py` has what is only looked at.

Each change names the arguments of its script; a name too many or too few fails at its first call.
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
Arguments = dict[str, Argument]


class Call(msgspec.Struct, frozen=True):
    """One change of one cart, ready to be sent, as often as it takes, to the same effect.

    `by_sha` is the command that names the script.
    """

    script: Script
    by_sha: tuple[Argument, ...]
    name: str | None
    lane: Lane

    @property
    def operation_id(self) -> str:
        """What to ask for with `resolve`: the caller's own name for the change, or its lane's."""
        return self.name or self.lane.operation_id

    @property
    def by_text(self) -> tuple[Argument, ...]:
        """The command that brings the script along, for an engine that does not know it."""
        return ("EVAL", self.script.text, *self.by_sha[2:])


_EVERY_CHANGE = (
    "record", "sequence", "digest", "epoch",  # of this one time
    "fingerprint", "expected", "ttl", "want_cart",  # of the operation
)  # fmt: skip
"""The arguments that each script takes, before its own."""

_OF_CHANGE: dict[type[Change], Callable[[Any], Arguments]] = {
    operations.AddItem: lambda op: {
        "line": line_field(op.line_id),
        "quantity": op.quantity,
        "unit_price": "" if op.unit_price is None else canonical_text(op.unit_price),
        "currency": op.currency,
        "title": title_text(op.title),
        "extra": extra_text(op.options, op.details),
        "max_quantity": op.rules.max_quantity,
        "max_lines": op.rules.max_lines,
    },
    operations.SetQuantity: lambda op: {
        "line": line_field(op.line_id),
        "quantity": op.quantity,
    },
    operations.RemoveLine: lambda op: {"line": line_field(op.line_id)},
    operations.PutLines: lambda op: {
        "currency": op.currency,
        "max_lines": op.rules.max_lines,
        "priced": "1" if any(line.unit_price is not None for line in op.lines) else "0",
        "count": len(op.lines),
    },
    operations.BeginCheckout: lambda op: {
        "checkout_id": op.checkout_id,
        "milliseconds": op.hold_ms,
        "keeps_additions": "1" if op.keeps_additions else "0",
    },
    operations.CompleteCheckout: lambda op: {"checkout_id": op.checkout_id},
    operations.ReleaseCheckout: lambda op: {"checkout_id": op.checkout_id},
    operations.BeginMerge: lambda op: {
        "merge_id": op.merge.merge_id,
        "policy": op.merge.policy,
        "target": target_text(op.merge.target_id),
    },
    operations.MergeLines: lambda op: {
        "target_epoch": op.epoch,
        "policy": op.policy,
        "currency": op.currency,
        "max_quantity": op.rules.max_quantity,
        "max_lines": op.rules.max_lines,
        "priced": "1" if any(line.unit_price is not None for line in op.lines) else "0",
        "count": len(op.lines),
    },
    operations.EndMerge: lambda op: {
        "merge_id": op.merge_id,
        "is_merged": "1" if op.is_merged else "0",
    },
    operations.Clear: lambda op: {"currency": op.rules.currency},
    operations.Destroy: lambda op: {"currency": op.rules.currency},
    operations.SetTtl: lambda op: {
        "currency": op.rules.currency,
        "cart_ttl": op.ttl_ms,
    },
    operations.Prolong: lambda op: {"early": op.early_ms},
    operations.Purge: lambda op: {"purged_epoch": op.epoch},
}
"""What each script takes besides, in its order and by its names."""


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
    own: Callable[[Any], Arguments]
    has_tail: bool


_signatures: dict[type[Change], _Signature] = {}


def _signed(change: Change) -> _Signature:
    """The signature of such changes, kept if the script agrees with it."""
    kind = type(change)
    own, script = _OF_CHANGE[kind], load_script(script_name(kind))
    named = (*_EVERY_CHANGE, *own(change))
    if script.arguments != named:
        raise ValueError(f"{script.name}.lua takes {script.arguments}, not {named}")
    signature = _signatures[kind] = _Signature(script, own, issubclass(kind, _WITH_TAIL))
    return signature


def build_call(key: str, change: Change, lane: Lane) -> Call:
    """The script call for a change, recorded under the caller's operation id or under the lane."""
    signature, operation_id = _signatures.get(type(change)) or _signed(change), change.operation_id
    if operation_id is None:
        record, sequence, digest = lane.field, lane.sequence, lane.digest
    else:
        kind = "&" if isinstance(change, operations.MergeLines) else "#"
        record, sequence = record_of(operation_id, kind)
        digest = _digest(operation_id, 6)
    said = change.__dict__.get("said") or _say(signature, change)
    once = (key, record, sequence, digest, lane.epoch)
    return Call(
        signature.script, ("EVALSHA", signature.script.sha, 1, *once, *said), operation_id, lane
    )


def _say(signature: _Signature, change: Change) -> tuple[str, ...]:
    """What the operation says to its script, kept with it: some are executed again and again."""
    said = (
        change.fingerprint,
        _expected(change.expected) if change.expected else "",
        change.rules.ttl_ms,
        "1" if change.want_cart else "0",
        *signature.own(change).values(),
        *(_tail(change) if signature.has_tail else ()),
    )
    texts = vars(change)["said"] = tuple(map(str, said))  # a number takes longer to be packed
    return texts


def record_of(operation_id: str, kind: str = "#") -> tuple[str, int]:
    """The field that records an operation id, and its number there."""
    if operation_id.startswith("~"):
        return operations.lane_of(operation_id)
    return kind + _digest(operation_id, 12), 1


def _digest(text: str, size: int) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=size).digest()
    return urlsafe_b64encode(digest).decode()
