"""The exported form of a cart: one line of JSON. It is public.

What can be derived is not written: line ids, counters, the number of records. The
fields of a line are those of `LineItem`, so that a new one is exported as soon as it is declared.
Nothing here does I/O. docs/command-line.md has a table of the names.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from ecart.model import LineItem, MergePolicy, OptionValue, State

FORMAT = 1
"""The version of the format, in every line. Lines of another version are refused."""


class _Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    pass


_FIRST_FIELDS: list[Any] = [("sku", str), ("quantity", int), ("position", int)]
_JSON_TYPES: dict[str, Any] = {
    "unit_price": str | None,
    "options": dict[str, OptionValue],
    "details": dict[str, Any] | None,
    "other": dict[str, str],
}
"""Types in JSON of the fields that have another type in `LineItem`."""


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    """The default of a field of `LineItem`; it has one, unless it is among the first."""
    is_made = field.default is msgspec.NODEFAULT
    return msgspec.field(default_factory=field.default_factory) if is_made else field.default


_OTHER_FIELDS = [
    (field.name, _JSON_TYPES.get(field.name, field.type), _default_of(field))
    for field in msgspec.structs.fields(LineItem)
    if field.name not in ("line_id", "quantity", "position")
]
CartLine: Any = msgspec.defstruct(
    "CartLine",
    [*_FIRST_FIELDS, *_OTHER_FIELDS, ("line_id", str | None, None)],
    bases=(_Part,),
    frozen=True,
    module=__name__,
)
"""A line of the cart, with the fields of `LineItem` and its SKU.

`line_id` is given only if it does not follow from SKU and options.
"""


class LockLine(_Part, frozen=True):
    """The check-out that holds the cart. `ordered`: the units that it saw, by line id."""

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
    """The record of a change, applied `at` seconds since 1970. `outcome`: of a merge, in lines."""

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
    lines: tuple[CartLine, ...] = ()  # pyright: ignore[reportInvalidTypeForm]
    lock: LockLine | None = None
    merge: MergeLine | None = None
    records: dict[str, RecordLine] = {}
    other: dict[str, str] = {}


def to_text(cart: ExportedCart) -> str:
    """The line of a cart, without a newline.

    It is ASCII without control characters, safe in terminals, mails and editors.
    """
    plain = {"format": FORMAT, **msgspec.to_builtins(cart)}
    return json.dumps(plain, separators=(",", ":"), allow_nan=False)


def from_text(text: bytes) -> ExportedCart:
    """Parses a line.

    Raises:
        ValueError: the line is not of this form; the message says where.
    """
    try:
        plain = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise ValueError(f"not a cart of format {FORMAT}")
    return msgspec.convert(plain, ExportedCart)
