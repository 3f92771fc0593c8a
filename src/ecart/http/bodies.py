"""The bodies of requests, each declared once, as a struct.

`decode_body` in `guards` takes the names of the fields from it, which of them are needed, and the
defaults of the others; the OpenAPI document shows it; a problem points at the field to which its
code belongs. What a value must be is checked by the operation that it becomes an argument of, or
by the handler: a body that has been read has the declared names, but not yet the declared types.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from ecart.model import MergePolicy

LIMIT = "x-limit"
"""In a field's schema: the name of the rule whose value is the maximum, in each deployment."""

# A character that may stand in a SKU, and one that may stand at its ends (ECMA-262). Surrogates
# are not excluded: a lone one is no text, and what generates clients and tests stumbles over them.
# Names of changes that begin with ~ are given by the library alone.
_INNER = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]"
_FIRST_OF_A_NAME = r"[^~\u0000-\u001f\u007f-\u009f\u2028\u2029]"
_OUTER = r"[^\s\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"

_OPTIONS_SCHEMA = {
    "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": f"^{_INNER}+$"},
    "additionalProperties": {
        "type": ["string", "integer", "boolean", "null"],
        "maxLength": 128,
        "pattern": f"^{_INNER}*$",
        "minimum": -(2**53) + 1,
        "maximum": 2**53 - 1,
    },
}


def codes(*names: str) -> dict[str, Any]:
    """The error codes that are about a field: their problem documents point at it."""
    return {"codes": names}


_QUANTITY_CODES = codes("invalid_quantity", "quantity_limit_exceeded")


class EmptyBody(msgspec.Struct, frozen=True):
    """No field at all: what routes without a body accept is `{}`."""


class AddItemBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to add: a product, how many units, and which options of it."""

    sku: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=128,
            pattern=f"^{_OUTER}({_INNER}*{_OUTER})?$",
            examples=["apple"],
            extra=codes("invalid_sku", "unknown_sku"),
        ),
    ]
    quantity: Annotated[
        int, Meta(ge=1, extra_json_schema={LIMIT: "max_quantity"}, extra=_QUANTITY_CODES)
    ] = 1
    options: Annotated[
        dict[str, Any],
        Meta(
            max_length=16,
            extra_json_schema=_OPTIONS_SCHEMA,
            examples=[{"size": "M"}],
            extra=codes("invalid_options"),
        ),
    ] = {}


class SetQuantityBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The quantity that a line is to have; 0 removes the line."""

    quantity: Annotated[
        int, Meta(ge=0, extra_json_schema={LIMIT: "max_quantity"}, extra=_QUANTITY_CODES)
    ]


class SetLineQuantityBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line, by its `id`, and the quantity that it is to have; 0 removes the line."""

    line_id: Annotated[str, Meta(min_length=1, extra=codes("line_not_found"))]
    quantity: Annotated[
        int, Meta(ge=0, extra_json_schema={LIMIT: "max_quantity"}, extra=_QUANTITY_CODES)
    ]


class MergeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cart whose lines are to be moved, and what becomes of lines that both carts have."""

    source: Annotated[str, Meta(min_length=1, max_length=256, extra=codes("invalid_cart_id"))]
    policy: Annotated[MergePolicy, Meta(extra=codes("invalid_policy"))] = "sum"


class CompleteCheckoutBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The order that the check-out has become."""

    order_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=255,
            pattern=f"^{_FIRST_OF_A_NAME}{_INNER}*$",
            extra=codes("invalid_operation_id"),
        ),
    ]


def schema_name(kind: type[msgspec.Struct]) -> str:
    """The name of a body in the OpenAPI document: that of its class, without `Body`."""
    return kind.__name__.removesuffix("Body")


@cache
def pointers(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """The JSON Pointer (RFC 6901) to the field that each error code is about."""
    return {
        code: f"/{field}"
        for field, hint in get_type_hints(kind, include_extras=True).items()
        for meta in get_args(hint)[1:]
        for code in meta.extra["codes"]
    }
