"""Converts between a cart's hash and its exported form.

An imported cart is validated: `to_fields` returns only hashes that this version reads and writes,
and in which the doctor finds nothing wrong.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ecart.errors import CorruptCartError
from ecart.model import (
    CartSummary,
    LineItem,
    Lock,
    Merge,
    check_cart_id,
    check_line_id,
    check_sku,
    line_id_for,
    sku_of,
)
from ecart.money import MAX_UNITS, canonical_text, check_currency, parse_amount
from ecart.operations.arguments import (
    check_quantity,
    check_title,
    checked_details,
    checked_options,
)
from ecart.stores.redis.cart_hash import CartHash, decode, encode, kind_of, right_counters
from ecart.stores.redis.codec import StoredRecord
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.carts import StoredHash, examine_cart
from ecart_server.transfer.format import CartLine, ExportedCart, LockLine, MergeLine, RecordLine

_OUTCOME = re.compile(r"refused|\d+\|\d+\|\d+\|\d+", re.ASCII)
_RECORD_NAME = re.compile(r"~[\w-]{11}\.[1-9]\d{0,8}|[#&][\w-]{16}", re.ASCII)
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)
_LETTER = re.compile(r"[a-zA-Z]", re.ASCII)
_SAME = (
    *("state", "version", "currency", "created_ms", "updated_ms"),
    *("epoch", "digest", "ttl_pinned"),
)
"""What is the same in a summary and in the exported form."""
_MAX_QUANTITY = 1_000_000
_MAX_DETAILS_BYTES = 1 << 24
_HARMLESS = {"unknown_field", "large_cart"}
"""Findings of the doctor with which a cart is imported all the same."""


def to_exported(stored: StoredHash, cart_id: str, expires_ms: int | None) -> ExportedCart:
    """The exported form of the cart in a hash. `expires_ms`: milliseconds since 1970, or never.

    Raises:
        CorruptCartError: a field cannot be read.
    """
    cart = decode(stored.key, cart_id, stored.fields)
    summary, lock, merge = cart.summary, cart.summary.lock, cart.summary.merge
    return ExportedCart(
        format=1,
        cart_id=cart_id,
        expires_ms=expires_ms,
        ttl_ms=summary.ttl_ms or None,
        last_position=cart.last_position,
        swept_ms=cart.swept_ms,
        **{name: getattr(summary, name) for name in _SAME},
        lines=tuple(map(_exported_line, cart.lines)),
        lock=LockLine(lock.checkout_id, lock.deadline_ms, lock.keeps_additions, dict(cart.ordered))
        if lock
        else None,
        merge=MergeLine(merge.merge_id, merge.policy, merge.target_id) if merge else None,
        records={
            name: _exported_record(stored.key, name, record)
            for name, record in cart.records.items()
        },
        other=dict(cart.other),
    )


def _exported_line(line: LineItem) -> Any:
    values = msgspec.structs.asdict(line)
    line_id, price = values.pop("line_id"), values["unit_price"]
    values["unit_price"] = None if price is None else canonical_text(price)
    values["options"], values["other"] = dict(line.options), dict(line.other)
    is_usual = line_id_for(line.sku, line.options) == line_id
    return CartLine(sku=line.sku, **values, line_id=None if is_usual else line_id)


def _exported_record(key: str, name: str, record: StoredRecord) -> RecordLine:
    outcome: Any = record.outcome or None
    if outcome is not None and not _OUTCOME.fullmatch(outcome):
        raise CorruptCartError(key, name)
    if outcome not in (None, "refused"):
        outcome = tuple(map(int, outcome.split("|")))
    return RecordLine(record.sequence, record.fingerprint, record.at, outcome)


def to_fields(cart: ExportedCart, keys: Keyspace) -> tuple[str, dict[str, str]]:
    """The key of the cart and the fields of its hash, header first.

    Raises:
        ValueError, EcartError: no cart can have these values; the message says which.
    """
    key = keys.cart(check_cart_id(cart.cart_id))
    for name in cart.other:
        if not name or kind_of(name.encode()) != "other":
            raise ValueError(f"{name!r} is no other field")
    imported = CartHash(
        summary=_summary(cart),
        last_position=cart.last_position,
        swept_ms=cart.swept_ms,
        lines=tuple(map(_imported_line, cart.lines)),
        ordered=cart.lock.ordered if cart.lock else {},
        records={name: _imported_record(name, record) for name, record in cart.records.items()},
        other=cart.other,
    )
    _check_consistency(imported)
    fields = encode(imported)
    _check_readable(key, keys, fields)
    return key, fields


def _summary(cart: ExportedCart) -> CartSummary:
    lock, merge = cart.lock, cart.merge
    check_currency(cart.currency)
    if (lock is not None) != (cart.state == "locked"):
        raise ValueError("a lock belongs to a locked cart, and only there")
    if (merge is not None) != (cart.state in ("merging", "merged")):
        raise ValueError("a merge belongs to a cart that merges or has merged, and only there")
    return CartSummary(
        cart_id=cart.cart_id,
        lock=Lock(_check_token(lock.checkout_id), lock.deadline_ms, lock.keeps_additions)
        if lock
        else None,
        merge=Merge(_check_token(merge.merge_id), merge.policy, check_cart_id(merge.target_id))
        if merge
        else None,
        ttl_ms=cart.ttl_ms or 0,
        **{name: getattr(cart, name) for name in _SAME},
    )


def _check_token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} names no check-out and no merge")
    return text


def _imported_line(line: Any) -> LineItem:
    check_quantity(line.quantity, at_least=1, limit=_MAX_QUANTITY)
    if line.title is not None:
        check_title(line.title)
    line_id = line.line_id or line_id_for(check_sku(line.sku), checked_options(line.options))
    if sku_of(check_line_id(line_id)) != line.sku:
        raise ValueError(f"the line id {line_id!r} is not of SKU {line.sku!r}")
    if not all(_LETTER.fullmatch(letter) for letter in line.other):
        raise ValueError("an attribute of a line has a letter")
    values = msgspec.structs.asdict(line)
    del values["sku"]
    if line.details is not None:
        values["details"] = checked_details(line.details, _MAX_DETAILS_BYTES)
    if line.unit_price is not None:
        values["unit_price"] = parse_amount(line.unit_price)
    return LineItem(**{**values, "line_id": line_id})


def _imported_record(name: str, record: RecordLine) -> StoredRecord:
    if not _RECORD_NAME.fullmatch(name) or (record.outcome is not None) != (name[0] == "&"):
        raise ValueError(f"{name!r} is no record of a change")
    outcome = record.outcome or ""
    text = outcome if isinstance(outcome, str) else "|".join(map(str, outcome))
    return StoredRecord(record.sequence, record.fingerprint, record.at, text)


def _check_consistency(cart: CartHash) -> None:
    """Checks what concerns more than one field."""
    by_id = {line.line_id: line.quantity for line in cart.lines}
    positions = {line.position for line in cart.lines}
    if len(by_id) < len(cart.lines) or len(positions) < len(cart.lines):
        raise ValueError("two of the lines are one, or stand in one place")
    if cart.lines and not 1 <= min(positions) <= max(positions) <= cart.last_position:
        raise ValueError("a line stands behind the last position, or nowhere")
    if cart.summary.state in ("locked", "merging") and not cart.lines:
        raise ValueError(f"a cart without lines cannot be {cart.summary.state}")
    if right_counters(cart.lines, cart.last_position)[2] >= MAX_UNITS:
        raise ValueError("the amount is larger than a cart can add up exactly")
    for line_id, units in cart.ordered.items():
        if units > by_id.get(line_id, 0):
            raise ValueError("the check-out saw more than there is")


def _check_readable(key: str, keys: Keyspace, fields: dict[str, str]) -> None:
    """Checks that the doctor finds nothing wrong, so that the store can read the cart."""
    stored = StoredHash(key, {name.encode(): text.encode() for name, text in fields.items()}, 1, 0)
    try:
        faults = examine_cart(stored, keys).faults
    except CorruptCartError as error:
        raise ValueError(str(error)) from error
    for code, detail in faults:
        if code not in _HARMLESS:
            raise ValueError(f"{code}: {detail}")
