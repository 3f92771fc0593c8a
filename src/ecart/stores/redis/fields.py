"""What the fields of a cart's hash mean: the one place that reads and writes their text.

`v` version and records · `c` counters · `m` what was settled when the cart was made · `s` state
(see `states.py`) · `:<line id>` a line · `!<line id>` the units of it that check-out saw ·
`~<writer>.<lane>`, `#<digest>`, `&<digest>` records of changes, keys and merges. Values are split
by bars; docs/data-model.md has a table. A text that does not fit is `CorruptCartError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ecart.errors import CorruptCartError
from ecart.model import (
    CartSnapshot,
    CartSummary,
    Details,
    LineItem,
    Options,
    canonical_json,
)
from ecart.money import ZERO, from_parts, parse_amount
from ecart.operations import price_text
from ecart.stores.redis.states import read_state

Fields = Mapping[bytes, bytes]

HEADER = (b"v", b"c", b"m", b"s")

_VERSION = re.compile(rb"(\d{1,16})\|([\w-]+)\|(\d{1,16})\|\d+\|\d+\|\d+", re.ASCII)
_COUNTERS = re.compile(rb"(\d{1,9})\|(\d{1,16})\|(\d{1,16})\|(\d{1,9})\|(\d{1,16})", re.ASCII)
_MADE = re.compile(rb"1\|([\w-]+)\|([A-Z]{3})\|(\d{1,16})\|(!?)(\d{1,16})", re.ASCII)
_RECORD = re.compile(rb"(\d{1,16})\|[0-9a-f]+\|(\d{1,11})(?:\||$)", re.ASCII)
_LINE = re.compile(rb"(\d{1,9})\|([\d.]*)\|(\d{1,16})\|([^|]*)\|(.*)", re.ASCII | re.DOTALL)


def line_field(line_id: str) -> str:
    """The field of the line with this id."""
    return ":" + line_id


def title_text(title: str | None) -> str:
    """A title as a part between bars; empty for none."""
    return "" if title is None else '"' + title.replace("%", "%25").replace("|", "%7C")


def extra_text(options: Options, details: Details | None) -> str:
    """Options and details as the JSON that ends a line; empty if there is neither."""
    extra: dict[str, object] = {}
    if options:
        extra["o"] = options
    if details is not None:
        extra["d"] = details
    return canonical_json(extra) if extra else ""


def line_text(line: LineItem) -> str:
    """A line without its position, which the script puts in."""
    extra = extra_text(line.options, line.details)
    return f"{line.quantity}|{price_text(line)}|{title_text(line.title)}|{extra}"


def read_summary(key: str, cart_id: str, currency: str, fields: Fields) -> CartSummary:
    """The summary in a cart's header fields; `currency` is that of a cart that does not exist."""
    return CartSummary(**_header(key, cart_id, currency, fields))


def read_snapshot(key: str, cart_id: str, currency: str, fields: Fields) -> CartSnapshot:
    """The cart in all the fields of its hash."""
    header = _header(key, cart_id, currency, fields)
    if header.get("state") == "merged":  # the lines are there for undoing, not to be seen
        return CartSnapshot(**header)
    lines = [read_line(key, name, text) for name, text in fields.items() if name[:1] == b":"]
    if len(lines) != header["line_count"]:
        raise CorruptCartError(key, "c")
    lines.sort(key=_position)
    ordered = {name[1:].decode(): int(n) for name, n in fields.items() if name[:1] == b"!"}
    return CartSnapshot(lines=tuple(lines), ordered=ordered, **header)


def read_line(key: str, field: bytes, text: bytes) -> LineItem:
    """The line that a field holds."""
    match = _LINE.fullmatch(text)
    if match is None:
        raise CorruptCartError(key, field.decode(errors="replace"))
    quantity, price, position, title, extra = match.groups()
    try:
        parts = json.loads(extra) if extra else {}
        return LineItem(
            line_id=field[1:].decode(),
            quantity=int(quantity),
            unit_price=parse_amount(price.decode()) if price else None,
            position=int(position),
            title=_title(title.decode()) if title else None,
            options=parts.get("o", {}),
            details=parts.get("d"),
        )
    except (ValueError, AttributeError, RecursionError) as error:
        raise CorruptCartError(key, field.decode(errors="replace")) from error


def read_record(key: str, field: str, text: bytes | None, sequence: int) -> datetime | None:
    """When the change with this number was recorded; None if the record tells of another."""
    if text is None:
        return None
    match = _RECORD.match(text)
    if match is None:
        raise CorruptCartError(key, field)
    return datetime.fromtimestamp(int(match[2]), UTC) if int(match[1]) == sequence else None


def _header(key: str, cart_id: str, currency: str, fields: Fields) -> dict[str, Any]:
    made = fields.get(b"m")
    if not made:
        if fields:
            raise CorruptCartError(key, "m")
        return {"cart_id": cart_id, "currency": currency, "line_count": 0}
    state = _state(key, fields.get(b"s"))
    version, digest, updated = _match(key, "v", _VERSION, fields.get(b"v"))
    epoch, own_currency, created, pinned, ttl = _match(key, "m", _MADE, made)
    counters = (b"0", b"0", b"0", b"0", b"0")
    if state["state"] not in ("gone", "merged"):
        counters = _match(key, "c", _COUNTERS, fields.get(b"c"))  # type: ignore[assignment]
    lines, quantity, units, nanos, position = counters
    return {
        "cart_id": cart_id,
        "currency": own_currency.decode(),
        "line_count": int(lines),
        "total_quantity": int(quantity),
        "subtotal": from_parts(int(units), int(nanos)) if units != b"0" or nanos != b"0" else ZERO,
        "version": int(version),
        "epoch": epoch.decode(),
        "digest": digest.decode(),
        **state,
        "created_ms": int(created),
        "updated_ms": int(updated),
        "ttl_ms": int(ttl),
        "ttl_pinned": bool(pinned),
        "last_position": int(position),
    }


def _match(
    key: str, field: str, pattern: re.Pattern[bytes], text: bytes | None
) -> tuple[bytes, ...]:
    match = pattern.fullmatch(text or b"")
    if match is None:
        raise CorruptCartError(key, field)
    return match.groups()


def _state(key: str, text: bytes | None) -> dict[str, Any]:
    if not text:
        return {"state": "open"}
    state = read_state(text.decode(errors="replace"))
    if state is None:
        raise CorruptCartError(key, "s")
    return state


def _title(text: str) -> str:
    return text[1:].replace("%7C", "|").replace("%25", "%")


def _position(line: LineItem) -> int:
    return line.position
