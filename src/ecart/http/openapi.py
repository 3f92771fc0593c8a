"""The OpenAPI 3.1 document, generated from the table of routes and the declared bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from ecart.http.bodies import LIMIT, schema_name
from ecart.http.problems import Problem, status_of
from ecart.http.routes import BACK_OFFICE_ROUTES, SHOPPER_ROUTES, Route
from ecart.http.views import (
    CartView,
    CheckoutView,
    Health,
    MergeView,
    OperationView,
    SignInView,
    SummaryView,
)
from ecart.operations import Rules

DEFAULT_RULES = Rules()

_PARAMETERS = {
    "line_id": ("path", "The line's `id`: the SKU, or the SKU and a digest of its options.", True),
    "cart_id": ("path", "The cart's id.", True),
    "key": ("path", "The `Idempotency-Key`, or the `operation_id` of a 504.", True),
    "checkout_id": ("path", "The id that the check-out was handed over under.", True),
    "If-Match": ("header", "Change only this state: the `ETag` of a cart. Else 412.", False),
    "If-None-Match": ("header", "Answer 304 if the cart still has this `ETag`.", False),
    "Idempotency-Key": ("header", "Names this change: applied once in 24 hours.", False),
    "Cart-Token": ("header", "The session of a client without cookies; `new` begins one.", False),
}
_TAG = '(W/)?"[!#-~]*"'
_HEADER_PATTERNS = {
    "If-Match": rf"^(\*|{_TAG}( *, *{_TAG})*)$",
    "Idempotency-Key": '^("[ -}][ -~]{0,254}"|[!#-}]([ -~]{0,253}[!#-~])?)$',
}


def openapi_document(routes: Sequence[Route], rules: Rules = DEFAULT_RULES) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a table of routes, with the limits of these rules."""
    _, schemas = msgspec.json.schema_components(
        (
            CartView,
            SummaryView,
            CheckoutView,
            MergeView,
            SignInView,
            OperationView,
            Health,
            Problem,
        ),
        ref_template="#/components/schemas/{name}",
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
        "components": {
            "schemas": {**schemas, **_bodies(rules)},
            "securitySchemes": {"office": {"type": "http", "scheme": "bearer"}},
        },
    }


def embedded_document(routes: Sequence[Route], rules: Rules, own: str) -> dict[str, Any]:
    """The same to be put into an app's document: the names of its components begin with `own`."""
    text = json.dumps(openapi_document(routes, rules))
    refs, scheme = "#/components/schemas/", '{"office": []}'
    text = text.replace(refs, refs + own).replace(scheme, scheme.replace("office", own + "office"))
    document: dict[str, Any] = json.loads(text)
    if not any(route.access == "back_office" for route in routes):
        del document["components"]["securitySchemes"]
    document["components"] = {
        kind: {own + name: one for name, one in components.items()}
        for kind, components in document["components"].items()
    }
    return document


def _bodies(rules: Rules) -> dict[str, Any]:
    """The schema of each body, with the limits of these rules."""
    kinds = dict.fromkeys(route.body for route in SHOPPER_ROUTES + BACK_OFFICE_ROUTES if route.body)
    _, schemas = msgspec.json.schema_components(kinds)
    for kind in kinds:
        schema = schemas[kind.__name__]
        schema["title"] = schema_name(kind)
        for field in schema["properties"].values():
            if LIMIT in field:
                field["maximum"] = getattr(rules, field.pop(LIMIT))
    return {schema["title"]: schema for schema in schemas.values()}


def _operation(route: Route) -> dict[str, Any]:
    name = getattr(route.handler, "__name__", "")
    prefix = "office_" if route.access == "back_office" else ""
    operation: dict[str, Any] = {
        "operationId": route.operation_id or prefix + name,
        "summary": (route.handler.__doc__ or "").strip(),
        "parameters": [_parameter(name) for name in _parameter_names(route)],
        "responses": _responses(route),
    }
    if route.access == "back_office":
        operation["security"] = [{"office": []}]
    if route.body:
        schema = {"$ref": f"#/components/schemas/{schema_name(route.body)}"}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _parameter_names(route: Route) -> list[str]:
    names = re.findall(r"{(\w+)}", route.path)
    if route.access != "session":
        return names
    if route.method != "GET":
        names += ["If-Match", "Idempotency-Key"]
    elif route.shows_cart:
        names += ["If-None-Match"]
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
    always = ("store_unavailable",) if route.access == "all" else _ALWAYS_POSSIBLE
    for code in ("not_acceptable", *always):
        by_status.setdefault(status_of(code), []).append(code)
    responses: dict[str, Any] = {"200": _success(route)}
    if not route.answers:
        responses = {"204": {"description": "Done."}}
    if route.method == "GET" and route.access == "session" and route.shows_cart:
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
    schema = {"$ref": f"#/components/schemas/{route.answers}"}
    answer: dict[str, Any] = {
        "description": "OK",
        "content": {"application/json": {"schema": schema}},
    }
    return {**answer, "headers": _ETAG} if route.shows_cart else answer


def _problem(codes: list[str]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "`" + "`, `".join(codes) + "`",
        "content": {"application/problem+json": {"schema": schema}},
    }
