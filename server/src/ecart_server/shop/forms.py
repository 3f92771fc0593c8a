"""The forms of the shop page: what was sent, whether from our page, and as which API request.

A form that is sent twice counts once: its mark and its content name the change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ecart.http import Request
from ecart.http.problems import HttpError
from ecart.model import Options
from ecart.operations import short_digest
from ecart_server.pages.forms import Fields, parse_form

FORM_MEDIA = "application/x-www-form-urlencoded"
_OPTION = "option:"
_WHOLE = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_MARK = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_form(request: Request) -> Fields:
    """The fields of a form.

    Raises:
        HttpError: `unsupported_media_type`, `invalid_body`.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != FORM_MEDIA:
        raise HttpError("unsupported_media_type", f"send {FORM_MEDIA}")
    return parse_form(request.body)


def options_in(fields: Fields) -> Options:
    """The options that the fields choose; each value is JSON, so that 1 is not "1"."""
    return {
        name.removeprefix(_OPTION): _value(text)
        for name, text in fields.items()
        if name.startswith(_OPTION)
    }


def option_fields(options: Options) -> dict[str, str]:
    """The inverse of `options_in`."""
    return {
        _OPTION + name: json.dumps(value, ensure_ascii=False) for name, value in options.items()
    }


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | int | None) else text


def _quantity(fields: Fields) -> Any:
    text = fields.get("quantity", "1")
    return int(text) if _WHOLE.fullmatch(text) else text  # which the API refuses by its code


class Call(msgspec.Struct, frozen=True):
    """A request to the API that a form stands for. `is_seen`: it depends on what was shown."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    is_seen: bool = False


def _add(fields: Fields) -> Call:
    body = {
        "sku": fields.get("sku", ""),
        "quantity": _quantity(fields),
        "options": options_in(fields),
    }
    return Call("POST", "/cart/items", body)


def _set(fields: Fields) -> Call:
    return Call("PATCH", _line(fields), {"quantity": _quantity(fields)}, is_seen=True)


def _remove(fields: Fields) -> Call:
    return Call("DELETE", _line(fields))


def _line(fields: Fields) -> str:
    return f"/cart/items/{fields.get('line_id', '')}"


FORMS: Mapping[str, Callable[[Fields], Call]] = {
    "/shop/add": _add,
    "/shop/set": _set,
    "/shop/remove": _remove,
    "/shop/checkout": lambda fields: Call("POST", "/cart/checkout", is_seen=True),
    "/shop/release": lambda fields: Call("DELETE", "/cart/checkout"),
}
"""Where each form is sent, and what it asks of the API."""


def api_request(call: Call, fields: Fields, request: Request) -> Request:
    """The request to the API, in the session of the form's own."""
    body = b"" if call.body is None else json.dumps(call.body).encode()
    headers = {
        name: value
        for name, value in request.headers.items()
        if name in ("host", "origin", "sec-fetch-site")
    }
    if body:
        headers["content-type"] = "application/json"
    if call.is_seen and fields.get("etag"):
        headers["if-match"] = fields["etag"]
    mark = fields.get("mark", "")
    if _MARK.fullmatch(mark):
        said = "\x1f".join((call.method, call.path, body.decode()))
        headers["idempotency-key"] = f"form.{mark}.{short_digest(said)}"
    return replace(
        request, method=call.method, path=call.path, headers=headers, body=body, params={}
    )
