"""What is wrong with one cart, from what its key holds. Nothing here does I/O.

Fields are read by the store's own reading, so that what is called readable here is readable there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ecart.errors import CorruptCartError
from ecart.model import CartSummary, LineItem
from ecart.operations import Rules
from ecart.stores.redis.cart_hash import (
    decode_lines,
    is_readable,
    kind_of,
    read_counters,
    right_counters,
)
from ecart.stores.redis.codec import read_summary
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.server import Fault

STUCK_AFTER_MS = 3_600_000
LARGE_BYTES = 1 << 20
READ_LIMIT = 16 << 20
"""Bytes of memory above which a key is not read."""

_MOST_LINES = 10_000
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
        cart = read_summary(held.key, keys.cart_id(held.key), "USD", held.fields)
        lines = decode_lines(held.key, held.fields)
    except CorruptCartError as error:
        found.faults.append(("unreadable_cart", f"field {error.field}"))
        return found
    found.state = cart.state
    found.faults += _faults(held, cart, lines)
    return found


def _faults(held: Held, cart: CartSummary, lines: tuple[LineItem, ...]) -> Iterator[Fault]:
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


def _counter_faults(held: Held, cart: CartSummary, lines: tuple[LineItem, ...]) -> Iterator[Fault]:
    if cart.state == "gone":
        if lines:
            yield "unreadable_cart", "field s: gone, but with lines"
        return
    has = read_counters(held.fields.get(b"c", b""))
    if has is None:
        yield "unreadable_cart", "field c"
        return
    right = right_counters(lines, max([has[4], *(line.position for line in lines)]))
    if has != right:
        wrong = zip(_NAMES, has, right, strict=True)
        yield "counters_differ", ", ".join(f"{n} {a}, not {b}" for n, a, b in wrong if a != b)


def _field_faults(held: Held, cart: CartSummary) -> Iterator[Fault]:
    for name, text in held.fields.items():
        shown = name.decode(errors="replace")
        if kind_of(name) == "other":
            yield "unknown_field", f"field {shown}"
        elif not is_readable(name, text):
            yield "unreadable_cart", f"field {shown}"
    marks = sum(1 for name in held.fields if name[:1] == b"!")
    if marks and cart.state != "locked":
        yield "leftover_marks", f"{marks} fields, state {cart.state}"
