"""What each read asks an engine for, in plain commands, and what the reply means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from ecart.model import CartSnapshot, CartSummary, LineItem
from ecart.operations import GetCart, GetLine, GetOperation, GetSummary, GetTtl, Operation
from ecart.stores.redis.commands import record_of
from ecart.stores.redis.fields import (
    as_mapping,
    line_field,
    read_header,
    read_line,
    read_record,
    read_snapshot,
)

MORE: Any = object()
"""No result yet: more is to be asked."""


class Read(NamedTuple):
    """One kind of read.

    It asks for some `fields` of a cart's hash and for `m`, which no cart lacks; without, for all
    fields. Where the `result` is MORE, it is what the command `rest` tells of the key.
    """

    fields: Callable[[Any], tuple[str, ...]] | None
    result: Callable[[str, str, Any, Any], Any]
    rest: str = ""

    def command(self, key: str, operation: Operation[Any]) -> tuple[str, ...]:
        """The question."""
        if self.fields is None:
            return "HGETALL", key
        return ("HMGET", key, *self.fields(operation), "m")

    def is_settled_by(self, reply: Any) -> bool:
        """Whether the reply is of a cart, and not of none, or of a hash of somebody else's."""
        return self.fields is None or reply[-1] is not None


def _cart(key: str, cart_id: str, read: GetCart, reply: Any) -> CartSnapshot:
    return read_snapshot(key, cart_id, read.rules.currency, as_mapping(reply))


def _summary(key: str, cart_id: str, read: GetSummary, values: Any) -> CartSummary:
    return read_header(key, cart_id, read.rules.currency, values)


def _line(key: str, cart_id: str, read: GetLine, values: Any) -> LineItem | None:
    text, state, _ = values
    if text is None or (state or b"").startswith(b"merged"):
        return None
    return read_line(key, line_field(read.line_id).encode(), text)


def _operation(key: str, cart_id: str, read: GetOperation, values: Any) -> datetime | None:
    record, sequence = record_of(read.operation_id)
    return read_record(key, record, values[0], sequence)


def _ttl(key: str, cart_id: str, read: GetTtl, values: Any) -> Any:
    ended = (values[0] or b"").startswith((b"gone", b"merged"))
    return -2 if ended else MORE


READS: dict[type[Operation[Any]], Read] = {
    GetCart: Read(None, _cart),
    GetSummary: Read(lambda read: ("v", "c", "s"), _summary),
    GetLine: Read(lambda read: (line_field(read.line_id), "s"), _line),
    GetOperation: Read(lambda read: (record_of(read.operation_id)[0],), _operation),
    GetTtl: Read(lambda read: ("s",), _ttl, rest="PTTL"),
}
