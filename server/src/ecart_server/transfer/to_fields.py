"""From the form in which a cart travels to the fields of its hash, which are judged before use.

What comes out is a cart that this version reads, writes and finds in order. Nothing else does.
"""

from __future__ import annotations

import re

from ecart.errors import CorruptCartError
from ecart.model import LineItem, check_cart_id, check_line_id, check_sku, line_id_for, sku_of
from ecart.money import MAX_UNITS, add_up, check_currency, parse_amount, to_parts
from ecart.operations.arguments import check_quantity, check_title, checked_details, checked_options
from ecart.stores.redis.codec import line_field, line_text, target_text
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.carts import Held, examine_cart
from ecart_server.transfer.format import CartLine, ExportedCart, RecordLine

_RECORD_NAME = re.compile(r"~[\w-]{11}\.[1-9]\d{0,8}|[#&][\w-]{16}", re.ASCII)
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)
_HEADER_NAMES = {"v", "c", "m", "s"}
_KINDS = (":", "!", "~", "#", "&")
_MOST_UNITS = 1_000_000
_MOST_DETAILS = 1 << 24
_PASSED_OVER = {"unknown_field", "large_cart"}
"""What the doctor says of a cart that is no reason to leave it behind."""


def fields_of(cart: ExportedCart, keys: Keyspace) -> tuple[str, dict[str, str]]:
    """The key of the cart and the fields of its hash, header first.

    Raises:
        ValueError, EcartError: no cart can be so.
    """
    key = keys.cart(check_cart_id(cart.cart_id))
    lines = [_line(line) for line in cart.lines]
    fields = {"v": _version(cart), "c": _counters(cart, lines), "m": _made(cart)}
    state = _state(cart)
    if state:
        fields["s"] = state
    for line in lines:
        quantity, _, rest = line_text(line).partition("|")
        price, _, rest = rest.partition("|")
        fields[line_field(line.line_id)] = f"{quantity}|{price}|{line.position}|{rest}"
    fields |= {
        f"!{line_id}": str(n) for line_id, n in (cart.lock.ordered if cart.lock else {}).items()
    }
    fields |= {name: _record(name, record) for name, record in cart.records.items()}
    fields |= _others(cart)
    _check_whole(cart, lines)
    _check_readable(key, keys, fields)
    return key, fields


def _line(line: CartLine) -> LineItem:
    check_quantity(line.quantity, at_least=1, limit=_MOST_UNITS)
    if line.title is not None:
        check_title(line.title)
    line_id = line.line_id or line_id_for(check_sku(line.sku), checked_options(line.options))
    if sku_of(check_line_id(line_id)) != line.sku:
        raise ValueError(f"the line id {line_id!r} is not of SKU {line.sku!r}")
    return LineItem(
        line_id,
        line.quantity,
        None if line.unit_price is None else parse_amount(line.unit_price),
        line.position,
        line.title,
        line.options,
        None if line.details is None else checked_details(line.details, _MOST_DETAILS),
    )


def _version(cart: ExportedCart) -> str:
    lanes = sum(1 for name in cart.records if name.startswith("~"))
    records = (lanes, len(cart.records) - lanes)
    parts = (cart.version, cart.digest, cart.updated_ms, *records, cart.swept_ms)
    return "|".join(map(str, parts))


def _counters(cart: ExportedCart, lines: list[LineItem]) -> str:
    units, nanos = to_parts(add_up(ln.subtotal for ln in lines if ln.subtotal is not None))
    if units >= MAX_UNITS:
        raise ValueError("the amount is larger than a cart can add up exactly")
    quantity = sum(line.quantity for line in lines)
    return "|".join(map(str, (len(lines), quantity, units, nanos, cart.last_position)))


def _made(cart: ExportedCart) -> str:
    pinned = "!" if cart.ttl_pinned else ""
    currency = check_currency(cart.currency)
    return f"1|{cart.epoch}|{currency}|{cart.created_ms}|{pinned}{cart.ttl_ms or 0}"


def _state(cart: ExportedCart) -> str:
    if (cart.lock is not None) != (cart.state == "locked"):
        raise ValueError("a lock belongs to a locked cart, and only there")
    if (cart.merge is not None) != (cart.state in ("merging", "merged")):
        raise ValueError("a merge belongs to a cart that merges or has merged, and only there")
    if cart.lock:
        name, keeps = _token(cart.lock.checkout_id), int(cart.lock.keeps_additions)
        return f"locked|{name}|{cart.lock.deadline_ms}|{keeps}"
    if cart.merge:
        target = target_text(check_cart_id(cart.merge.target_id))
        return f"{cart.state}|{_token(cart.merge.merge_id)}|{cart.merge.policy}|{target}"
    return "gone" if cart.state == "gone" else ""


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} names no check-out and no merge")
    return text


def _record(name: str, record: RecordLine) -> str:
    if not _RECORD_NAME.fullmatch(name) or (record.outcome is not None) != (name[0] == "&"):
        raise ValueError(f"{name!r} is no record of a change")
    outcome: list[object] = []
    if record.outcome is not None:
        outcome = ["refused"] if record.outcome == "refused" else list(record.outcome)
    return "|".join(map(str, (record.sequence, record.fingerprint, record.at, *outcome)))


def _others(cart: ExportedCart) -> dict[str, str]:
    for name in cart.other:
        if not name or name in _HEADER_NAMES or name.startswith(_KINDS):
            raise ValueError(f"{name!r} is no other field")
    return cart.other


def _check_whole(cart: ExportedCart, lines: list[LineItem]) -> None:
    """What no single field shows."""
    by_id = {line.line_id: line.quantity for line in lines}
    positions = {line.position for line in lines}
    if len(by_id) < len(lines) or len(positions) < len(lines):
        raise ValueError("two of the lines are one, or stand in one place")
    if lines and not 1 <= min(positions) <= max(positions) <= cart.last_position:
        raise ValueError("a line stands behind the last position, or nowhere")
    if cart.state in ("locked", "merging") and not lines:
        raise ValueError(f"a cart without lines cannot be {cart.state}")
    for line_id, units in (cart.lock.ordered if cart.lock else {}).items():
        if units > by_id.get(line_id, 0):
            raise ValueError("the check-out saw more than there is")


def _check_readable(key: str, keys: Keyspace, fields: dict[str, str]) -> None:
    """The doctor has nothing to say, and with it the store."""
    held = Held(key, {name.encode(): text.encode() for name, text in fields.items()}, 1, 0)
    try:
        faults = examine_cart(held, keys).faults
    except CorruptCartError as error:
        raise ValueError(str(error)) from error
    for code, detail in faults:
        if code not in _PASSED_OVER:
            raise ValueError(f"{code}: {detail}")
