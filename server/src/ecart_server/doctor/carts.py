"""What is wrong with one cart, from what its key holds. Nothing here does I/O.

Fields are read by the store's own reading, so that what is called readable here is readable there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from ecart.errors import CorruptCartError
from ecart.model import CartSummary, LineItem
from ecart.money import add_up, to_parts
from ecart.operations import Rules
from ecart.stores.redis.codec import HEADER, read_line, read_summary
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.server import Fault

STUCK_AFTER_MS = 3_600_000
LARGE_BYTES = 1 << 20
READ_LIMIT = 16 << 20
"""Bytes of memory above which a key is not read."""

_MOST_LINES = 10_000
_COUNTERS = re.compile(rb"\d+\|\d+\|\d+\|\d+\|\d+", re.ASCII)
_RECORD = re.compile(rb"\d+\|[0-9a-f]+\|\d+(?:\|.*)?", re.ASCII)
_LINE = ord(":")
_VALUES = {**dict.fromkeys(b"~#&", _RECORD), ord("!"): re.compile(rb"\d+", re.ASCII)}
_NAMES = ("line count", "total quantity", "whole units", "billionths", "last position")


class Held(msgspec.Struct, frozen=True):
    """What a key held at `now_ms`, the engine's time. `pttl` is as PTTL says; bytes, estimated."""

    key: str
    fields: Mapping[bytes, bytes]
    pttl: int
    now_ms: int
    size: int = 0


class Examined(msgspec.Struct):
    """A cart's state, if it can be read, and what is wrong with it."""

    state: str
    faults: list[Fault]


def misplaced(key: str, keys: Keyspace) -> str | None:
    """The key under which this cart would be found, if it is another one."""
    try:
        right = keys.cart(keys.cart_id(key))
    except UnicodeDecodeError:
        right = "none: its id is no UTF-8"
    return None if right == key else right


def examine_cart(held: Held, keys: Keyspace) -> Examined:
    """All that is wrong with the cart under a key that has the form of a cart's."""
    found = Examined("unreadable", [])
    right = misplaced(held.key, keys)
    if right is not None:
        found.faults.append(("orphan", f"its id belongs to {right}"))
        return found
    try:
        header = {name: text for name in HEADER if (text := held.fields.get(name)) is not None}
        cart = read_summary(held.key, keys.cart_id(held.key), "USD", header)
        lines = [
            read_line(held.key, name, text)
            for name, text in held.fields.items()
            if name[:1] == b":"
        ]
    except CorruptCartError as error:
        found.faults.append(("unreadable_cart", f"field {error.field}"))
        return found
    found.state = cart.state
    found.faults += _faults(held, cart, lines)
    return found


def _faults(held: Held, cart: CartSummary, lines: list[LineItem]) -> Iterator[Fault]:
    yield from _counter_faults(held, cart, lines)
    yield from _field_faults(held, cart)
    if cart.lifetime_ms and held.pttl == -1:
        yield "no_expiry", f"state {cart.state}, to live {cart.lifetime_ms // 1000} s"
    age_ms = held.now_ms - cart.updated_ms
    if cart.merge and cart.state == "merging" and age_ms > STUCK_AFTER_MS:
        yield "stuck_merge", f"into {cart.merge.target_id}, since {age_ms // 60_000} minutes"
    if len(lines) > _MOST_LINES:
        yield "oversize_cart", f"{len(lines)} lines"
    elif len(lines) > Rules().max_lines or held.size > LARGE_BYTES:
        yield "large_cart", f"{len(lines)} lines, {held.size} bytes"


def _counter_faults(held: Held, cart: CartSummary, lines: list[LineItem]) -> Iterator[Fault]:
    if cart.state == "gone":
        if lines:
            yield "unreadable_cart", "field s: gone, but with lines"
        return
    text = held.fields.get(b"c", b"")
    if _COUNTERS.fullmatch(text) is None:
        yield "unreadable_cart", "field c"
        return
    has = [int(part) for part in text.split(b"|")]
    units, nanos = to_parts(add_up(line.subtotal for line in lines if line.subtotal is not None))
    quantity = sum(line.quantity for line in lines)
    position = max([has[4], *(line.position for line in lines)])
    right = [len(lines), quantity, units, nanos, position]
    if has != right:
        wrong = zip(_NAMES, has, right, strict=True)
        yield "counters_differ", ", ".join(f"{n} {a}, not {b}" for n, a, b in wrong if a != b)


def _field_faults(held: Held, cart: CartSummary) -> Iterator[Fault]:
    for name, text in held.fields.items():
        kind = name[0] if name else 0
        shown = name.decode(errors="replace")
        if kind != _LINE and kind not in _VALUES:
            if name not in HEADER:
                yield "unknown_field", f"field {shown}"
        elif kind != _LINE and _VALUES[kind].fullmatch(text) is None:
            yield "unreadable_cart", f"field {shown}"
    marks = sum(1 for name in held.fields if name[:1] == b"!")
    if marks and cart.state != "locked":
        yield "leftover_marks", f"{marks} fields, state {cart.state}"
