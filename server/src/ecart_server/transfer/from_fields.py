"""From the fields of a cart's hash to the form in which it travels. The reading is the store's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ecart.errors import CorruptCartError
from ecart.model import CartSummary, LineItem, Merge, line_id_for
from ecart.money import canonical_text
from ecart.stores.redis.codec import HEADER, read_line, read_summary
from ecart_server.doctor.carts import Held
from ecart_server.transfer.format import CartLine, ExportedCart, LockLine, MergeLine, RecordLine

_RECORD = re.compile(
    rb"(\d+)\|([0-9a-f]+)\|(\d+)(?:\|(?:(refused)|(\d+)\|(\d+)\|(\d+)\|(\d+)))?", re.ASCII
)
_LINE, _MARK = ":", "!"
_RECORDS = ("~", "#", "&")

Texts = Mapping[str, bytes]


def exported(held: Held, cart_id: str, expires_ms: int | None) -> ExportedCart:
    """The cart in the fields of its hash.

    Raises:
        CorruptCartError: a field cannot be read.
    """
    key, fields = held.key, held.fields
    cart = read_summary(key, cart_id, "USD", {n: fields[n] for n in HEADER if n in fields})
    rest = {_text(key, "", n): text for n, text in sorted(fields.items()) if n not in HEADER}
    return ExportedCart(
        format=1,
        cart_id=cart_id,
        state=cart.state,
        version=cart.version,
        currency=cart.currency,
        created_ms=cart.created_ms,
        updated_ms=cart.updated_ms,
        expires_ms=expires_ms,
        ttl_ms=cart.ttl_ms or None,
        epoch=cart.epoch,
        digest=cart.digest,
        last_position=_last_number(key, "c", fields.get(b"c", b"0")),
        swept_ms=_last_number(key, "v", fields[b"v"]),
        ttl_pinned=cart.ttl_pinned,
        lines=_lines(key, rest),
        lock=_lock(key, cart, {n[1:]: text for n, text in rest.items() if n[:1] == _MARK}),
        merge=_merge(cart.merge),
        records={n: _record(key, n, text) for n, text in rest.items() if n[:1] in _RECORDS},
        other=dict(_others(key, rest)),
    )


def _text(key: str, field: str, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise CorruptCartError(key, field or text.decode(errors="replace")) from error


def _last_number(key: str, field: str, text: bytes) -> int:
    return _number(key, field, text.rpartition(b"|")[2])


def _number(key: str, field: str, text: bytes) -> int:
    if not text.isdigit():
        raise CorruptCartError(key, field)
    return int(text)


def _lines(key: str, rest: Texts) -> tuple[CartLine, ...]:
    lines = [read_line(key, n.encode(), text) for n, text in rest.items() if n[:1] == _LINE]
    lines.sort(key=lambda line: line.position)
    return tuple(map(_line, lines))


def _line(line: LineItem) -> CartLine:
    options = dict(line.options)
    is_usual = line_id_for(line.sku, options) == line.line_id
    return CartLine(
        sku=line.sku,
        quantity=line.quantity,
        position=line.position,
        unit_price=None if line.unit_price is None else canonical_text(line.unit_price),
        title=line.title,
        options=options,
        details=None if line.details is None else dict(line.details),
        line_id=None if is_usual else line.line_id,
    )


def _lock(key: str, cart: CartSummary, marks: Texts) -> LockLine | None:
    if cart.lock is None:
        if marks:  # what a check-out saw, and no check-out
            raise CorruptCartError(key, _MARK + next(iter(marks)))
        return None
    ordered = {line_id: _number(key, _MARK + line_id, text) for line_id, text in marks.items()}
    return LockLine(
        cart.lock.checkout_id, cart.lock.deadline_ms, cart.lock.keeps_additions, ordered
    )


def _merge(merge: Merge | None) -> MergeLine | None:
    return MergeLine(merge.merge_id, merge.policy, merge.target_id) if merge else None


def _record(key: str, name: str, text: bytes) -> RecordLine:
    match = _RECORD.fullmatch(text)
    if match is None:
        raise CorruptCartError(key, name)
    sequence, fingerprint, at, refused, *counts = match.groups()
    outcome: Any = "refused" if refused else None
    if counts[0] is not None:
        outcome = tuple(map(int, counts))
    return RecordLine(int(sequence), fingerprint.decode(), int(at), outcome)


def _others(key: str, rest: Texts) -> Iterator[tuple[str, str]]:
    """Fields of no kind that this version knows: a newer one may."""
    for name, text in rest.items():
        if name[:1] not in (_LINE, _MARK, *_RECORDS):
            yield name, _text(key, name, text)
