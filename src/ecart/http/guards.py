"""The checks that a request must pass before a handler runs: size, origin, media types, JSON."""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from ecart.http.bodies import EmptyBody
from ecart.http.messages import Request
from ecart.http.problems import HttpError

Body = TypeVar("Body", bound=msgspec.Struct)

MAX_DEPTH = 16
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WEIGHT_ZERO = re.compile(r"q=0(\.0*)?")


def check_size(request: Request, limit: int) -> None:
    """Refuses a body of more than `limit` bytes, declared or received.

    Raises:
        HttpError: `body_too_large`.
    """
    if len(request.body) > limit or declares_oversized_body(request.headers, limit):
        raise HttpError("body_too_large", f"a body is at most {limit} bytes")


def declares_oversized_body(headers: Mapping[str, str], limit: int) -> bool:
    """Whether `Content-Length` is more than `limit` bytes: then the body need not be read."""
    return (declared_length(headers) or 0) > limit


def declared_length(headers: Mapping[str, str]) -> int | None:
    """The bytes of the body by `Content-Length`, exact up to 20 digits; None if it is no number."""
    digits = headers.get("content-length", "")
    if not digits.isdecimal():
        return None
    # Python raises ValueError for an integer of more than 4,300 digits, zeros included.
    return int(digits.lstrip("0")[:20] or "0")


def check_origin(request: Request, trusted: frozenset[str]) -> None:
    """Refuses changes that another site's page sent (Fetch Metadata, else `Origin`; RFC 6454).

    A client that sends neither header is no browser and cannot be tricked into anything.

    Raises:
        HttpError: `cross_site_request`.
    """
    if is_cross_site(request, trusted):
        raise HttpError("cross_site_request", "a page of another site may not change the cart")


def is_cross_site(request: Request, trusted: frozenset[str]) -> bool:
    """Whether it is a change that `check_origin` refuses."""
    if request.method not in CHANGING:
        return False
    origin = request.headers.get("origin")
    if origin is not None and origin in trusted:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and _host_of(origin) != request.headers.get("host", "")


def _host_of(origin: str) -> str:
    scheme, _, host = origin.partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    return host.removesuffix(default) if default else host


def check_accept(request: Request, offered: str) -> None:
    """Refuses a client that wants none of what is offered (RFC 9110 §12.5.1).

    Raises:
        HttpError: `not_acceptable`.
    """
    header = request.headers.get("accept")
    if header is None or header.strip() in ("", "*/*", offered):
        return
    wanted = ("*/*", offered.partition("/")[0] + "/*", offered)
    if not accepts(header, wanted):
        raise HttpError("not_acceptable", f"this is answered as {offered}")


def accepts(header: str, wanted: Collection[str]) -> bool:
    """Whether a list of preferences names one of these without weight 0 (RFC 9110 §12.4.2)."""
    for part in header.split(","):
        name, _, parameters = part.partition(";")
        if name.strip().lower() in wanted and not _is_refused(parameters):
            return True
    return False


def _is_refused(parameters: str) -> bool:
    return any(
        _WEIGHT_ZERO.fullmatch(parameter.strip().lower()) for parameter in parameters.split(";")
    )


def check_key(request: Request, keys: tuple[str, ...]) -> None:
    """Requires one of the keys as bearer token (RFC 6750), and takes the same time for any.

    Letters beyond ASCII may come as UTF-8 or as Latin-1: clients differ.

    Raises:
        HttpError: `unauthorized`.
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    given = text.strip().encode("latin-1", "replace")  # a header is bytes: RFC 9110 §5.5
    # Every key is compared, so that the time reveals nothing of them.
    known = [
        hmac.compare_digest(given, form)
        for key in keys
        for form in (key.encode(), key.encode("latin-1", "replace"))
    ]
    if scheme.lower() != "bearer" or not any(known):
        headers = {"WWW-Authenticate": "Bearer"}
        raise HttpError("unauthorized", "this wants Authorization: Bearer <key>", headers=headers)


def check_empty(request: Request) -> None:
    """Refuses a body with any field, for routes that take none; `{}` has none.

    Raises:
        HttpError: as `decode_body`.
    """
    if request.body:
        decode_body(request, EmptyBody)
    elif "content-type" in request.headers:
        _check_media(request)


def decode_body(request: Request, kind: type[Body]) -> Body:
    """The JSON object in the body, which has the fields that `kind` declares and no other.

    The values of the fields are as they were sent; who uses them checks them.

    Raises:
        HttpError: `unsupported_media_type`, `invalid_json`, `invalid_body`, `unknown_field`,
            `missing_field`.
    """
    _check_media(request)
    value = parse_json(request.body)
    if not isinstance(value, dict):
        raise HttpError("invalid_body", "the body is a JSON object")
    try:
        return kind(**value)  # which checks names alone, not types
    except TypeError:
        raise _wrong_names(value, kind.__struct_fields__) from None


def _wrong_names(value: dict[str, Any], known: tuple[str, ...]) -> HttpError:
    """The error for an object that has an unknown field, or else lacks a needed one."""
    for name in value:
        if name not in known:
            shown = name[:40].encode(errors="replace").decode()
            pointer = "/" + shown.replace("~", "~0").replace("/", "~1")
            return HttpError("unknown_field", f"no field {shown!r} is known here", pointer=pointer)
    missing = next(name for name in known if name not in value)
    return HttpError("missing_field", f"{missing!r} is needed", pointer=f"/{missing}")


def _check_media(request: Request) -> None:
    media = request.headers.get("content-type", "")
    if media == "application/json":  # as nearly all write it
        return
    if media.partition(";")[0].strip().lower() != "application/json":
        raise HttpError("unsupported_media_type", "send application/json")


def parse_json(body: bytes) -> Any:
    """The value of a JSON text (RFC 8259), without what JSON parsers disagree on.

    Raises:
        HttpError: `invalid_json`: not UTF-8, not JSON, NaN, a name twice, or too deep.
    """
    try:
        value = _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise HttpError("invalid_json", "the body is not well-formed JSON") from error
    if _is_deeper(value, MAX_DEPTH):
        raise HttpError("invalid_json", f"JSON is nested at most {MAX_DEPTH} deep here")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays are nested in each other at more than so many levels."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object has a name twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    # Ten thousand digits are well-formed; with twenty of them it is out of range already.
    return int(digits[:20])


def _fraction(text: str) -> float | Decimal:
    # 2.0 is 2, but 2.0000000000000000001 is not, though the nearest float is.
    number = float(text)
    if not number.is_integer():
        return number
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent that no number here has
        return math.inf
    return number if exact == exact.to_integral_value() else exact


_DECODER = json.JSONDecoder(
    object_pairs_hook=_without_repeats,
    parse_constant=_no_constant,
    parse_int=_integer,
    parse_float=_fraction,
)
