"""Finds what is wrong with one cart, from the hash under its key. Nothing here does I/O.

Fields are read by the store's own codec, so that what is readable here is readable there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ecart.errors import CorruptCartError
from ecart.model import CartSummary, LineItem
from ecart.operations import Rules
from ecart.stored_text import bytes_of
from ecart.stores.redis.cart_hash import (
    decode_lines,
    is_readable,
    kind_of,
    read_bytes,
    read_counters,
    right_counters,
)
from ecart.stores.redis.codec import BYTES, read_summary
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.findings import Fault

STUCK_AFTER_MS = 3_600_000
LARGE_BYTES = 1 << 20
READ_LIMIT = 16 << 20
"""Bytes of memory above which a key is not read."""

_MOST_LINES = 10_000
_NAMES = (
    "line count",
    "total quantity",
    "whole units",
    "billionths",
    "last position",
    "bytes of lines",
)


class StoredHash(msgspec.Struct, frozen=True):
    """The hash under a key, as it was read at `now_ms`, the engine's time since 1970.

    `pttl`: the reply to PTTL: milliseconds, -1 for no expiry. `size`: bytes of memory, estimated.
    """

    key: str
    fields: Mapping[bytes, bytes]
    pttl: int
    now_ms: int
    size: int = 0


class CartDiagnosis(msgspec.Struct, frozen=True):
    """The state of a cart (`unreadable` if it cannot be read), and what is wrong with it."""

    state: str
    faults: tuple[Fault, ...]


def misplaced(key: str, keys: Keyspace) -> str | None:
    """The key that the id of this cart gives, if the cart is under another one; else None."""
    try:
        right = keys.cart(keys.cart_id(key))
    except UnicodeDecodeError:
        right = "none: its id is no UTF-8"
    return None if right == key else right


def examine_cart(stored: StoredHash, keys: Keyspace) -> CartDiagnosis:
    """Everything that is wrong with the cart under a key that has the form of a cart's."""
    right = misplaced(stored.key, keys)
    if right is not None:
        return CartDiagnosis("unreadable", (Fault("orphan", f"its id belongs to {right}"),))
    try:
        cart = read_summary(stored.key, keys.cart_id(stored.key), "USD", stored.fields)
        lines = decode_lines(stored.key, stored.fields)
    except CorruptCartError as error:
        return CartDiagnosis("unreadable", (Fault("unreadable_cart", f"field {error.field}"),))
    return CartDiagnosis(cart.state, tuple(_faults(stored, cart, lines)))


def _faults(stored: StoredHash, cart: CartSummary, lines: tuple[LineItem, ...]) -> Iterator[Fault]:
    yield from _counter_faults(stored, cart, lines)
    yield from _field_faults(stored, cart)
    if cart.lifetime_ms and stored.pttl == -1:
        yield Fault("no_expiry", f"state {cart.state}, to live {cart.lifetime_ms // 1000} s")
    age_ms = stored.now_ms - cart.updated_ms
    if cart.merge and cart.state == "merging" and age_ms > STUCK_AFTER_MS:
        yield Fault("stuck_merge", f"into {cart.merge.target_id}, since {age_ms // 60_000} minutes")
    if len(lines) > _MOST_LINES:
        yield Fault("oversize_cart", f"{len(lines)} lines")
    elif len(lines) > Rules().max_lines or stored.size > LARGE_BYTES:
        yield Fault("large_cart", f"{len(lines)} lines, {stored.size} bytes")


def _counter_faults(
    stored: StoredHash, cart: CartSummary, lines: tuple[LineItem, ...]
) -> Iterator[Fault]:
    if cart.state == "gone":
        if lines:
            yield Fault("unreadable_cart", "field s: gone, but with lines")
        return
    has = read_counters(stored.fields.get(b"c", b""))
    if has is None:
        yield Fault("unreadable_cart", "field c")
        return
    right = right_counters(lines, max([has[4], *(line.position for line in lines)]))
    size = read_bytes(stored.fields.get(BYTES, b""), cart.version)
    if size is not None:
        has, right = [*has, size], [*right, bytes_of(lines)]
    if has != right:
        compared = zip(_NAMES, has, right, strict=False)
        yield Fault(
            "counters_differ", ", ".join(f"{n} {a}, not {b}" for n, a, b in compared if a != b)
        )


def _field_faults(stored: StoredHash, cart: CartSummary) -> Iterator[Fault]:
    for name, text in stored.fields.items():
        shown = name.decode(errors="replace")
        if kind_of(name) == "other":
            yield Fault("unknown_field", f"field {shown}")
        elif not is_readable(name, text):
            yield Fault("unreadable_cart", f"field {shown}")
    marks = sum(1 for name in stored.fields if name[:1] == b"!")
    if marks and cart.state != "locked":
        yield Fault("leftover_marks", f"{marks} fields, state {cart.state}")
