"""The forms of the shop page, each translated into a request to the API.

A form that is sent twice counts once. The page gives each rendering a nonce, the field `mark`; with
the content of the form it makes the `Idempotency-Key` of the API request.
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
from ecart_server.pages.forms import FormFields, parse_form

FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
OPTION_PREFIX = "option:"
"""Before the name of an option, in the name of its field."""

_INTEGER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_MARK = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_form(request: Request) -> FormFields:
    """The fields of the form in a request.

    Raises:
        HttpError: `unsupported_media_type`, `invalid_body`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM_MEDIA_TYPE:
        raise HttpError("unsupported_media_type", f"send {FORM_MEDIA_TYPE}")
    return parse_form(request.body)


def options_in(fields: FormFields) -> Options:
    """The options that a form chooses. Values are JSON, so that 1 is not "1"."""
    return {
        name.removeprefix(OPTION_PREFIX): _option_value(text)
        for name, text in fields.items()
        if name.startswith(OPTION_PREFIX)
    }


def option_fields(options: Options) -> dict[str, str]:
    """The inverse of `options_in`."""
    return {
        OPTION_PREFIX + name: json.dumps(value, ensure_ascii=False)
        for name, value in options.items()
    }


def _option_value(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | int | None) else text


class ApiCall(msgspec.Struct, frozen=True):
    """The request to the API that a form stands for.

    `is_conditional`: it is done only if the cart is still as the page showed it (`If-Match`).
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    is_conditional: bool = False


def _quantity(fields: FormFields) -> Any:
    text = fields.get("quantity", "1")
    return int(text) if _INTEGER.fullmatch(text) else text  # which the API refuses by its code


def _line_path(fields: FormFields) -> str:
    return f"/cart/items/{fields.get('line_id', '')}"


def _add(fields: FormFields) -> ApiCall:
    body = {
        "sku": fields.get("sku", ""),
        "quantity": _quantity(fields),
        "options": options_in(fields),
    }
    return ApiCall("POST", "/cart/items", body)


def _set(fields: FormFields) -> ApiCall:
    body = {"quantity": _quantity(fields)}
    return ApiCall("PATCH", _line_path(fields), body, is_conditional=True)


FORMS: Mapping[str, Callable[[FormFields], ApiCall]] = {
    "/shop/add": _add,
    "/shop/set": _set,
    "/shop/remove": lambda fields: ApiCall("DELETE", _line_path(fields)),
    "/shop/checkout": lambda fields: ApiCall("POST", "/cart/checkout", is_conditional=True),
    "/shop/release": lambda fields: ApiCall("DELETE", "/cart/checkout"),
}
"""What each form asks of the API, by the path that it is sent to."""


def api_request(call: ApiCall, fields: FormFields, request: Request) -> Request:
    """The request to the API, in the session of the request that brought the form."""
    body = b"" if call.body is None else json.dumps(call.body).encode()
    headers = {
        name: value
        for name, value in request.headers.items()
        if name in ("host", "origin", "sec-fetch-site")
    }
    if body:
        headers["content-type"] = "application/json"
    if call.is_conditional and fields.get("etag"):
        headers["if-match"] = fields["etag"]
    mark = fields.get("mark", "")
    if _MARK.fullmatch(mark):
        content = "\x1f".join((call.method, call.path, body.decode()))
        headers["idempotency-key"] = f"form.{mark}.{short_digest(content)}"
    return replace(
        request, method=call.method, path=call.path, headers=headers, body=body, params={}
    )
