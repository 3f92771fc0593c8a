"""The codec of a cart's hash: from fields to values and back, for all who read or write one.

The first character of a field's name is its kind:

    v  c  m  s        the header: version, counters, what was fixed at creation, state
    b                 the bytes of all lines, and the version of the cart that they were counted at
    :<line id>        a line: see `ecart.stored_text`
    !<line id>        the units of a line that the check-out saw
    ~<producer>.<n>   the record of a lane: see `deduplication`
    #<digest>         the record of a caller's operation id
    &<digest>         the record of a merge, in its target

Values are separated by bars; docs/data-model.md has a table of all. A value that does not have its
form is `CorruptCartError` with the field's name. Fields of other kinds are a newer version's:
they stay, and are copied, merged, exported and imported along, unread.

This module is what operations need, and is fast. `cart_hash` reads and writes everything that a
hash holds with it, strictly: for export, import and the doctor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from msgspec.structs import replace

from ecart.errors import CorruptCartError
from ecart.model import (
    LINE_ATTRIBUTES,
    CartSnapshot,
    CartSummary,
    EmptyMapping,
    LineItem,
    Lock,
    Merge,
    State,
)
from ecart.money import ZERO, from_parts, parse_amount

Fields = Mapping[bytes, bytes]

HEADER = (b"v", b"c", b"s", b"m")
BYTES = b"b"
"""The field that only changes read: missing or of another version, it is counted anew."""

_VERSION = re.compile(rb"(\d{1,16})\|([\w-]+)\|(\d{1,16})\|\d+\|\d+\|\d+", re.ASCII)
_COUNTERS = re.compile(rb"(\d{1,9})\|(\d{1,16})\|(\d{1,16})\|(\d{1,9})\|(\d{1,16})", re.ASCII)
_MADE = re.compile(rb"1\|([\w-]+)\|([A-Z]{3})\|(\d{1,16})\|(!?)(\d{1,16})", re.ASCII)
_RECORD = re.compile(rb"(\d{1,16})\|([0-9a-f]+)\|(\d{1,11})(?:\|(.*))?", re.ASCII | re.DOTALL)


def as_mapping(reply: Any) -> dict[bytes, bytes]:
    """The fields in a reply to `HGETALL`: a map (RESP3), or names and values in turn."""
    if isinstance(reply, dict):
        return reply
    each = iter(reply)
    return dict(zip(each, each, strict=True))


def read_summary(key: str, cart_id: str, currency: str, fields: Fields) -> CartSummary:
    """The summary in a cart's header fields; `currency` is that of a cart that does not exist."""
    return read_header(key, cart_id, currency, [fields.get(name) for name in HEADER])


def read_header(
    key: str, cart_id: str, currency: str, texts: Sequence[bytes | None]
) -> CartSummary:
    """`read_summary` of what the fields of `HEADER` hold, in that order."""
    header = _header(key, cart_id, currency, texts)
    return CartSummary(cart_id, currency) if header is None else CartSummary(*header)


def read_snapshot(key: str, cart_id: str, currency: str, fields: Fields) -> CartSnapshot:
    """The cart in all the fields of its hash."""
    header = _header(key, cart_id, currency, [fields.get(name) for name in HEADER])
    if header is None:
        if any(fields.values()):
            raise CorruptCartError(key, "m")
        return CartSnapshot(cart_id, currency)
    if header[_STATE] == "merged":  # the lines are a backup, which readers do not see
        return CartSnapshot(*header)
    lines = _lines(key, fields)
    if len(lines) != header[_LINE_COUNT]:
        raise CorruptCartError(key, "c")
    lines.sort(key=_POSITION)
    ordered = {}
    if header[_STATE] == "locked":
        ordered = {name[1:].decode(): int(n) for name, n in fields.items() if name[:1] == b"!"}
    return CartSnapshot(*[*header, tuple(lines), ordered, read_other(key, fields)])


KNOWN_KINDS = (b":", b"!", b"~", b"#", b"&")
"""The first characters of the names of fields, but for the header's."""


def read_other(key: str, fields: Fields) -> dict[str, str]:
    """The fields of kinds that this version does not know."""
    other = {}
    for name in [name for name in fields if name[:1] != b":"]:  # a cart is mostly lines
        if name[:1] not in KNOWN_KINDS and name not in HEADER and name != BYTES:
            try:
                other[name.decode()] = fields[name].decode()
            except UnicodeDecodeError as error:
                raise CorruptCartError(key, name.decode(errors="replace")) from error
    return other


def _lines(key: str, fields: Fields) -> list[LineItem]:
    names = [name for name in fields if name[:1] == b":"]
    texts = list(map(fields.__getitem__, names))
    try:
        joined = b"".join(texts)
        if _EXTRA in joined or _ATTRIBUTE in joined:
            return list(map(_line_of, names, texts))
        return list(map(_plain_line, names, texts))
    except (ValueError, AttributeError, RecursionError):
        # Some line cannot be read: reading each by itself names it.
        return [read_line(key, name, text) for name, text in zip(names, texts, strict=True)]


_EXTRA, _ATTRIBUTE = b"|{", b"|="
"""What begins the extra and an attribute. Numbers do not, and a title has no bar."""


def read_line(key: str, field: bytes, text: bytes) -> LineItem:
    """The line that a field holds."""
    try:
        return _line_of(field, text)
    except (ValueError, AttributeError, RecursionError) as error:
        raise CorruptCartError(key, field.decode(errors="replace")) from error


def _line_of(field: bytes, text: bytes) -> LineItem:
    has_more = _EXTRA in text or _ATTRIBUTE in text
    return _line(field, text) if has_more else _plain_line(field, text)


def _line(field: bytes, text: bytes) -> LineItem:
    quantity, price, position, title, rest = text.split(b"|", 4)
    if not quantity.isdigit() or not position.isdigit() or len(quantity) > _DIGITS:
        raise ValueError
    attributes, brace, extra = rest.partition(b"{")
    parts = json.loads(brace + extra) if brace else {}
    line = LineItem(
        field[1:].decode(),
        int(quantity),
        parse_amount(price.decode()) if price else None,
        int(position),
        _unescaped(title[1:].decode()) if title else None,
        parts.get("o", _EMPTY),
        parts.get("d"),
        _EMPTY,
    )
    return _with_attributes(line, attributes.decode()) if attributes else line


def _with_attributes(line: LineItem, text: str) -> LineItem:
    known: dict[str, str] = {}
    other: dict[str, str] = {}
    *attributes, end = text.split("|")
    for attribute in attributes:
        if attribute[:1] != "=" or len(attribute) < 2:
            raise ValueError
        letter, value = attribute[1], _unescaped(attribute[2:])
        if letter in LINE_ATTRIBUTES:
            known[LINE_ATTRIBUTES[letter]] = value
        else:
            other[letter] = value
    if end:
        raise ValueError
    return replace(line, other=other, **known)


_EMPTY = EmptyMapping()

# A change touches one line, so the others are read again unchanged; and carts of other shoppers
# have the same ones. Only lines without mutable parts are shared.
_plain_line = lru_cache(maxsize=8192)(_line)

_DIGITS = 9


class StoredRecord(NamedTuple):
    """That a change was applied to the cart, by which a retry of it is recognised.

    `sequence` is the number of a lane's last change, 1 for others. `at` is seconds since 1970.
    `outcome` is what a merge did: refused, or counts of lines.
    """

    sequence: int
    fingerprint: str
    at: int
    outcome: str = ""


def is_of_caller(name: bytes) -> bool:
    """Whether a field records an operation id of a caller, not a lane of ours or a merge."""
    return name.startswith(b"#") or (name.startswith(b"~") and name.endswith(b".0"))


def read_record(key: str, field: str, text: bytes) -> StoredRecord:
    """The record in a field."""
    match = _RECORD.fullmatch(text)
    if match is None:
        raise CorruptCartError(key, field)
    sequence, fingerprint, at, outcome = match.groups()
    return StoredRecord(
        int(sequence),
        fingerprint.decode(),
        int(at),
        "" if outcome is None else outcome.decode(errors="replace"),
    )


def _header(
    key: str, cart_id: str, currency: str, texts: Sequence[bytes | None]
) -> list[Any] | None:
    """The values of a `CartSummary` in the order of its fields; None if there is no cart."""
    stamps, sums, stored_state, made = texts
    if not made:
        if any(texts):
            raise CorruptCartError(key, "m")
        return None
    match = _VERSION.fullmatch(stamps or b"")
    if match is None:
        raise CorruptCartError(key, "v")
    version, digest, updated = match.groups()
    fixed = _read_made(made)
    if fixed is None:
        raise CorruptCartError(key, "m")
    epoch, own_currency, created, pinned, ttl = fixed
    state, lock, merge = _read_state(key, stored_state) if stored_state else _OPEN
    counters = _NONE if state in ("gone", "merged") else _counters(sums or b"")
    if counters is None:
        raise CorruptCartError(key, "c")
    lines, quantity, subtotal, position = counters
    return [
        cart_id,
        own_currency,
        lines,
        quantity,
        subtotal,
        int(version),
        epoch,
        digest.decode(),
        state,
        lock,
        merge,
        created,
        int(updated),
        ttl,
        pinned,
        position,
    ]


@lru_cache(maxsize=8192)
def _read_made(made: bytes) -> tuple[str, str, int, bool, int] | None:
    """What was fixed when the cart was created; None if it cannot be read."""
    match = _MADE.fullmatch(made)
    if match is None:
        return None
    epoch, currency, created, pinned, ttl = match.groups()
    return epoch.decode(), currency.decode(), int(created), bool(pinned), int(ttl)


_NONE = (0, 0, ZERO, 0)


@lru_cache(maxsize=1024)
def _counters(text: bytes) -> tuple[int, int, Decimal, int] | None:
    """Line count, total quantity, subtotal, last position; None if they cannot be read."""
    match = _COUNTERS.fullmatch(text)
    if match is None:
        return None
    lines, quantity, units, nanos, position = map(int, match.groups())
    return lines, quantity, from_parts(units, nanos) if units or nanos else ZERO, position


_OPEN: tuple[State, Lock | None, Merge | None] = ("open", None, None)
_LINE_COUNT, _STATE = 2, 8


_STATE_TEXT = re.compile(
    r"(?P<gone>gone)|(?P<locked>locked)\|(?P<checkout>[^|]+)\|(?P<deadline>\d{1,16})\|(?P<keeps>[01])"
    r"|(?P<merge>merging|merged)\|(?P<id>[^|]+)\|(?P<policy>sum|max|keep_target|replace)\|(?P<target>[^|]+)",
    re.ASCII,
)


def _read_state(key: str, text: bytes) -> tuple[State, Lock | None, Merge | None]:
    match = _STATE_TEXT.fullmatch(text.decode(errors="replace"))
    if match is None:
        raise CorruptCartError(key, "s")
    if match["gone"]:
        return "gone", None, None
    if match["locked"]:
        lock = Lock(match["checkout"], int(match["deadline"]), match["keeps"] == "1")
        return "locked", lock, None
    state: Any = match["merge"]
    return state, None, read_merge(match["id"], match["policy"], match["target"])


def target_text(cart_id: str) -> str:
    """The id of a merge's target, escaped to stand between bars."""
    return quote(cart_id, safe="")


def read_merge(merge_id: str, policy: Any, target: str) -> Merge:
    """The merge in a state or in a refusal."""
    return Merge(merge_id, policy, unquote(target))


def _unescaped(text: str) -> str:
    if "%" not in text:
        return text
    return text.replace("%7C", "|").replace("%7B", "{").replace("%25", "%")


_POSITION = attrgetter("position")
