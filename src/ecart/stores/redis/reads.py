"""How each read is sent: its plain command, and what the reply means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ecart.model import CartSnapshot, CartSummary, LineItem
from ecart.operations import (
    GetCart,
    GetLine,
    GetMergeSource,
    GetOperation,
    GetSummary,
    GetTtl,
    MergeSource,
    Operation,
    Record,
)
from ecart.stored_text import line_field
from ecart.stores.redis.codec import (
    as_mapping,
    is_of_caller,
    read_header,
    read_line,
    read_record,
    read_snapshot,
)
from ecart.stores.redis.operations import record_of

NEEDS_MORE: Any = object()
"""Returned by a `ReadCall.result` that another command has to complete."""


class ReadCall(NamedTuple):
    """How one kind of read is sent.

    It asks for some `fields` of a cart's hash and for `m`, which every cart has; or, if `fields` is
    None, for all. Where `result` returns NEEDS_MORE, the result is the reply to `rest` on the key.
    """

    fields: Callable[[Any], tuple[str, ...]] | None
    result: Callable[[str, str, Any, Any], Any]
    rest: str = ""

    def command(self, key: str, operation: Operation[Any]) -> tuple[str, ...]:
        """The command to send."""
        if self.fields is None:
            return "HGETALL", key
        return ("HMGET", key, *self.fields(operation), "m")

    def finds_cart(self, reply: Any) -> bool:
        """False if the reply may be that of no cart, or of a hash that is none."""
        return self.fields is None or reply[-1] is not None


def _cart(key: str, cart_id: str, read: GetCart, reply: Any) -> CartSnapshot:
    return read_snapshot(key, cart_id, read.rules.currency, as_mapping(reply))


def _merge_source(key: str, cart_id: str, read: GetMergeSource, reply: Any) -> MergeSource:
    fields = as_mapping(reply)
    cart = read_snapshot(key, cart_id, read.rules.currency, fields)
    names = [name.decode() for name in fields if is_of_caller(name)]
    stored = {name: read_record(key, name, fields[name.encode()]) for name in names}
    return MergeSource(
        cart,
        {
            name: Record(record.fingerprint, record.at * 1000, number=record.sequence)
            for name, record in stored.items()
        },
    )


def _summary(key: str, cart_id: str, read: GetSummary, values: Any) -> CartSummary:
    return read_header(key, cart_id, read.rules.currency, values)


def _line(key: str, cart_id: str, read: GetLine, values: Any) -> LineItem | None:
    text, state, _ = values
    if text is None or (state or b"").startswith(b"merged"):
        return None
    return read_line(key, line_field(read.line_id).encode(), text)


def _operation(key: str, cart_id: str, read: GetOperation, values: Any) -> datetime | None:
    field, sequence = record_of(read.operation_id)
    record = None if values[0] is None else read_record(key, field, values[0])
    if record is None or record.sequence != sequence:
        return None
    return datetime.fromtimestamp(record.at, UTC)


def _ttl(key: str, cart_id: str, read: GetTtl, values: Any) -> Any:
    ended = (values[0] or b"").startswith((b"gone", b"merged"))
    return -2 if ended else NEEDS_MORE


READS: dict[type[Operation[Any]], ReadCall] = {
    GetCart: ReadCall(None, _cart),
    GetMergeSource: ReadCall(None, _merge_source),
    GetSummary: ReadCall(lambda read: ("v", "c", "s"), _summary),
    GetLine: ReadCall(lambda read: (line_field(read.line_id), "s"), _line),
    GetOperation: ReadCall(lambda read: (record_of(read.operation_id)[0],), _operation),
    GetTtl: ReadCall(lambda read: ("s",), _ttl, rest="PTTL"),
}
