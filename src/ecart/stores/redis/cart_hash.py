"""Everything that a cart's hash holds, as a value: read strictly, and written again.

`decode` and `encode` are inverse: what comes out of one is what the other takes, field by field,
those of unknown kinds included. Export, import and the doctor work on the value, and so need not
know how it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from ecart.errors import CorruptCartError
from ecart.model import CartSummary, LineItem
from ecart.money import add_up, to_parts
from ecart.stored_text import bytes_of, line_field, line_text
from ecart.stores.redis.codec import (
    BYTES,
    HEADER,
    Fields,
    StoredRecord,
    read_line,
    read_other,
    read_record,
    read_summary,
    target_text,
)

FieldKind = Literal["header", "line", "mark", "lane", "key", "merge", "other"]

_KINDS: Mapping[bytes, FieldKind] = {
    b":": "line",
    b"!": "mark",
    b"~": "lane",
    b"#": "key",
    b"&": "merge",
}
_RECORDS = ("lane", "key", "merge")
_NUMBER = re.compile(rb"\d{1,16}", re.ASCII)
_COUNTERS = re.compile(rb"\d+\|\d+\|\d+\|\d+\|\d+", re.ASCII)


class CartHash(msgspec.Struct, frozen=True, kw_only=True):
    """A cart with all that is stored of it.

    `summary` is what its header says, counters included. `ordered` are the units that a check-out
    saw, by line id. `records` are by the names of their fields. `last_position` and `swept_ms` are
    those stored, whatever the state of the cart. `other` are fields of unknown kinds.
    """

    summary: CartSummary
    last_position: int
    swept_ms: int
    lines: tuple[LineItem, ...] = ()
    ordered: Mapping[str, int] = {}
    records: Mapping[str, StoredRecord] = {}
    other: Mapping[str, str] = {}


def kind_of(name: bytes) -> FieldKind:
    """The kind of a field, by its name."""
    return "header" if name in (*HEADER, BYTES) else _KINDS.get(name[:1], "other")


def is_readable(name: bytes, text: bytes) -> bool:
    """Whether a mark or a record has its form. The header and lines are read by `codec`."""
    kind = kind_of(name)
    if kind == "mark":
        return _NUMBER.fullmatch(text) is not None
    if kind in _RECORDS:
        try:
            read_record("", "", text)
        except CorruptCartError:
            return False
    return True


def read_counters(text: bytes) -> list[int] | None:
    """Line count, total quantity, whole units, billionths, last position; None if unreadable."""
    return [*map(int, text.split(b"|"))] if _COUNTERS.fullmatch(text) else None


def read_bytes(text: bytes, version: int) -> int | None:
    """The bytes of lines that a text counts; None where it is not of this version of the cart."""
    counted_at, _, size = text.partition(b"|")
    return int(size) if counted_at == b"%d" % version and _NUMBER.fullmatch(size) else None


def right_counters(lines: tuple[LineItem, ...], last_position: int) -> list[int]:
    """The counters that these lines should have."""
    amounts = (line.subtotal for line in lines if line.subtotal is not None)
    quantity = sum(line.quantity for line in lines)
    return [len(lines), quantity, *to_parts(add_up(amounts)), last_position]


def decode_lines(key: str, fields: Fields) -> tuple[LineItem, ...]:
    """The lines among the fields, in their order.

    Raises:
        CorruptCartError: one cannot be read.
    """
    lines = [read_line(key, n, text) for n, text in fields.items() if kind_of(n) == "line"]
    return tuple(sorted(lines, key=lambda line: line.position))


def decode(key: str, cart_id: str, fields: Fields) -> CartHash:
    """All that the fields of a cart hold.

    Raises:
        CorruptCartError: a field cannot be read, or a check-out left marks behind.
    """
    names = {kind: [n for n in fields if kind_of(n) == kind] for kind in ("mark", *_RECORDS)}
    summary = read_summary(key, cart_id, "USD", fields)
    if summary.lock is None and names["mark"]:
        raise CorruptCartError(key, names["mark"][0].decode(errors="replace"))
    return CartHash(
        summary=summary,
        last_position=_last_number(key, "c", fields.get(b"c", b"0")),
        swept_ms=_last_number(key, "v", fields.get(b"v", b"")),
        lines=decode_lines(key, fields),
        ordered={_text(key, n)[1:]: _number(key, n, fields[n]) for n in sorted(names["mark"])},
        records={
            _text(key, n): read_record(key, _text(key, n), fields[n])
            for n in sorted(name for kind in _RECORDS for name in names[kind])
        },
        other=dict(sorted(read_other(key, fields).items())),
    )


def _last_number(key: str, field: str, text: bytes) -> int:
    return _number(key, field.encode(), text.rpartition(b"|")[2])


def _number(key: str, name: bytes, text: bytes) -> int:
    if not _NUMBER.fullmatch(text):
        raise CorruptCartError(key, name.decode(errors="replace"))
    return int(text)


def _text(key: str, name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise CorruptCartError(key, name.decode(errors="replace")) from error


def encode(cart: CartHash) -> dict[str, str]:
    """The fields of the hash, header first; counters and bytes follow from the lines."""
    summary = cart.summary
    lanes = sum(1 for name in cart.records if name.startswith("~"))
    records = (lanes, len(cart.records) - lanes)
    stamps = (summary.version, summary.digest, summary.updated_ms, *records, cart.swept_ms)
    ttl = f"{'!' if summary.ttl_pinned else ''}{summary.ttl_ms}"
    fields = {
        "v": _joined(*stamps),
        "c": _joined(*right_counters(cart.lines, cart.last_position)),
        "m": _joined(1, summary.epoch, summary.currency, summary.created_ms, ttl),
    }
    state = _state(summary)
    if state:
        fields["s"] = state
    fields["b"] = _joined(summary.version, bytes_of(cart.lines))
    for line in cart.lines:
        quantity, price, rest = line_text(line).split("|", 2)
        fields[line_field(line.line_id)] = f"{quantity}|{price}|{line.position}|{rest}"
    fields |= {f"!{line_id}": str(units) for line_id, units in cart.ordered.items()}
    for name, (*parts, outcome) in cart.records.items():
        fields[name] = _joined(*parts, outcome) if outcome else _joined(*parts)
    return {**fields, **cart.other}


def _joined(*parts: object) -> str:
    return "|".join(map(str, parts))


def _state(summary: CartSummary) -> str:
    if summary.lock:
        lock = summary.lock
        return _joined("locked", lock.checkout_id, lock.deadline_ms, int(lock.keeps_additions))
    if summary.merge:
        merge = summary.merge
        return _joined(summary.state, merge.merge_id, merge.policy, target_text(merge.target_id))
    return "gone" if summary.state == "gone" else ""
