"""The OpenAPI 3.1 document, made from the table of routes, so that it cannot tell of others."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from ecart.http.problems import Problem, status_of
from ecart.http.routes import Route
from ecart.http.views import CartView, SummaryView
from ecart.operations import Rules

DEFAULT_RULES = Rules()

# A character that may stand in a SKU, and one that may stand at its ends (ECMA-262).
_INNER = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]"
_OUTER = (
    r"[^\s\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
    r"\ud800-\udfff]"
)

_SKU = {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "pattern": f"^{_OUTER}({_INNER}*{_OUTER})?$",
    "examples": ["apple"],
}
_OPTION = {
    "type": ["string", "integer", "boolean", "null"],
    "maxLength": 128,
    "pattern": f"^{_INNER}*$",
    "minimum": -(2**53) + 1,
    "maximum": 2**53 - 1,
}
_OPTIONS = {
    "type": "object",
    "maxProperties": 16,
    "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": f"^{_INNER}+$"},
    "additionalProperties": _OPTION,
    "examples": [{"size": "M"}],
}
_FIELDS: dict[str, dict[str, Any]] = {
    "AddItem": {
        "sku": _SKU,
        "quantity": {"type": "integer", "minimum": 1, "default": 1},
        "options": _OPTIONS,
    },
    "SetQuantity": {"quantity": {"type": "integer", "minimum": 0}},
}
_REQUIRED = {"AddItem": "sku", "SetQuantity": "quantity"}
_PARAMETERS = {
    "line_id": ("path", "The line's `id`: the SKU, or the SKU and a digest of its options.", True),
    "If-Match": ("header", "Change only this state: the `ETag` of a cart. Else 412.", False),
    "If-None-Match": ("header", "Answer 304 if the cart still has this `ETag`.", False),
    "Idempotency-Key": ("header", "Names this change: applied once in 24 hours.", False),
    "Cart-Token": ("header", "The session of a client without cookies; `new` begins one.", False),
}
_TAG = '(W/)?"[!#-~]*"'
_HEADER_PATTERNS = {
    "If-Match": rf"^(\*|{_TAG}( *, *{_TAG})*)$",
    "Idempotency-Key": '^("[ -~]{1,255}"|[!#-~]([ -~]{0,253}[!#-~])?)$',
}


def openapi_document(routes: Sequence[Route], rules: Rules = DEFAULT_RULES) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a table of routes, with the limits of these rules."""
    _, schemas = msgspec.json.schema_components(
        (CartView, SummaryView, Problem), ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ecart",
            "version": version("ecart"),
            "description": "A shopping cart kept by session. Money is text; errors are RFC 9457.",
        },
        "paths": paths,
        "components": {"schemas": {**schemas, **_bodies(rules), "Health": _HEALTH}},
    }


def _bodies(rules: Rules) -> dict[str, Any]:
    most = {"maximum": rules.max_quantity}
    return {
        name: {
            "type": "object",
            "additionalProperties": False,
            "required": [_REQUIRED[name]],
            "properties": {**fields, "quantity": {**fields["quantity"], **most}},
        }
        for name, fields in _FIELDS.items()
    }


_HEALTH = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}},
}


def _operation(route: Route) -> dict[str, Any]:
    name = getattr(route.handler, "__name__", "")
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": (route.handler.__doc__ or "").strip(),
        "parameters": [_parameter(name) for name in _parameter_names(route)],
        "responses": _responses(route),
    }
    if route.body:
        schema = {"$ref": f"#/components/schemas/{route.body}"}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _parameter_names(route: Route) -> list[str]:
    if not route.path.startswith("/cart"):
        return []
    names = ["line_id"] if "{line_id}" in route.path else []
    names += ["If-None-Match"] if route.method == "GET" else ["If-Match", "Idempotency-Key"]
    return [*names, "Cart-Token"]


def _parameter(name: str) -> dict[str, Any]:
    where, text, required = _PARAMETERS[name]
    schema: dict[str, Any] = {"type": "string"}
    if name in _HEADER_PATTERNS:
        schema["pattern"] = _HEADER_PATTERNS[name]
    return {"name": name, "in": where, "required": required, "description": text, "schema": schema}


def _responses(route: Route) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in route.codes:
        by_status.setdefault(status_of(code), []).append(code)
    for code in ("not_acceptable", *_ALWAYS_POSSIBLE) if route.answers else ("store_unavailable",):
        by_status.setdefault(status_of(code), []).append(code)
    responses: dict[str, Any] = {"200": _success(route)}
    if route.method == "GET" and route.answers:
        responses["304"] = {"description": "The client has this state.", "headers": _ETAG}
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = _problem(sorted(set(codes)))
    return responses


_ALWAYS_POSSIBLE = ("store_unavailable", "corrupt_cart")
_ETAG = {
    "ETag": {
        "description": "Names this exact state of the cart.",
        "schema": {"type": "string"},
        "required": True,
    }
}


def _success(route: Route) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{route.answers or 'Health'}"}
    answer: dict[str, Any] = {
        "description": "OK",
        "content": {"application/json": {"schema": schema}},
    }
    return {**answer, "headers": _ETAG} if route.answers else answer


def _problem(codes: list[str]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "`" + "`, `".join(codes) + "`",
        "content": {"application/problem+json": {"schema": schema}},
    }


def body_fields(name: str) -> list[str]:
    """The names of the fields of a request body."""
    return list(_FIELDS[name]) if name else []
