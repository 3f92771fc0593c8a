"""The form in which a cart travels: one line of JSON with every fact of it, each fact once.

Whatever follows from something else is not written: line ids, counters, the number of records.
Nothing here does I/O. docs/command-line.md has a table of the names.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from ecart.model import MergePolicy, OptionValue, State

FORMAT = 1
"""Stands in every line. A reader of another format does not guess."""


class _Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    pass


class CartLine(_Part, frozen=True):
    """A line of the cart. `line_id` is given only if SKU and options do not make it."""

    sku: str
    quantity: int
    position: int
    unit_price: str | None = None
    title: str | None = None
    options: dict[str, OptionValue] = {}
    details: dict[str, Any] | None = None
    line_id: str | None = None


class LockLine(_Part, frozen=True):
    """The check-out that holds the cart. `ordered`: by line id, the units that it saw."""

    checkout_id: str
    deadline_ms: int
    keeps_additions: bool = False
    ordered: dict[str, int] = {}


class MergeLine(_Part, frozen=True):
    """The merge into another cart."""

    merge_id: str
    policy: MergePolicy
    target_id: str


class RecordLine(_Part, frozen=True):
    """That a change was applied, `at` seconds since 1970. `outcome`: what a merge did, in lines."""

    sequence: int
    fingerprint: str
    at: int
    outcome: tuple[int, int, int, int] | Literal["refused"] | None = None


class ExportedCart(_Part, frozen=True):
    """A cart. Times are milliseconds since 1970; `ttl_ms` and `expires_ms` are null for never."""

    format: Literal[1]
    cart_id: str
    state: State
    version: int
    currency: str
    created_ms: int
    updated_ms: int
    expires_ms: int | None
    ttl_ms: int | None
    epoch: str
    digest: str
    last_position: int
    swept_ms: int
    ttl_pinned: bool = False
    lines: tuple[CartLine, ...] = ()
    lock: LockLine | None = None
    merge: MergeLine | None = None
    records: dict[str, RecordLine] = {}
    other: dict[str, str] = {}


def to_text(cart: ExportedCart) -> str:
    """The line, without its end. It is ASCII and holds no control character, so that it passes
    through terminals, mails and editors unharmed."""
    plain = {"format": FORMAT, **msgspec.to_builtins(cart)}
    return json.dumps(plain, separators=(",", ":"), allow_nan=False)


def from_text(text: bytes) -> ExportedCart:
    """The cart in a line.

    Raises:
        ValueError: it is no such line; the message says where.
    """
    try:
        plain = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise ValueError(f"not a cart of format {FORMAT}")
    return msgspec.convert(plain, ExportedCart)
