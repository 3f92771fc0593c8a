"""Errors as `application/problem+json` (RFC 9457), each with its one code."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from ecart.errors import EcartError
from ecart.http.bodies import pointers
from ecart.http.messages import Response

_STATUS_BY_CODE = {
    "invalid_request": 400,
    "invalid_json": 400,
    "invalid_header": 400,
    "invalid_version": 400,
    "unauthorized": 401,
    "cross_site_request": 403,
    "not_found": 404,
    "line_not_found": 404,
    "cart_not_found": 404,
    "operation_not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "request_timeout": 408,
    "cart_empty": 409,
    "cart_locked": 409,
    "cart_merging": 409,
    "checkout_not_open": 409,
    "merge_refused": 409,
    "cart_merged": 409,
    "session_ended": 409,
    "currency_mismatch": 409,
    "stale_operation": 409,
    "version_conflict": 412,
    "body_too_large": 413,
    "target_too_long": 414,
    "unsupported_media_type": 415,
    "too_many_operations": 429,
    "rate_limited": 429,
    "too_many_streams": 429,
    "head_too_large": 431,
    "corrupt_cart": 500,
    "internal_error": 500,
    "unknown_transfer_coding": 501,
    "catalog_unavailable": 503,
    "store_unavailable": 503,
    "outcome_unknown": 504,
}
# As the standard has them; Python had the older names until 3.13.
_RFC_9110_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
_RETRY_AFTER = {429: "60", 503: "1"}


class HttpError(EcartError):
    """A request that is refused before any operation."""

    message = "{detail}"

    def __init__(
        self, code: str, detail: str, *, pointer: str = "", headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(code, detail)
        self.detail = detail
        self.wire_code = code
        self.pointer = pointer
        self.headers = headers


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field of the body; `pointer` is a JSON Pointer (RFC 6901)."""

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer that is an error. Switch on `code`; `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    cart: Any = None
    operation_id: str | None = None


def status_of(code: str) -> int:
    """The status with which a code is answered."""
    return _STATUS_BY_CODE.get(code, 422)


def problem_response(
    error: EcartError, *, body: type[msgspec.Struct] | None = None, cart: Any = None
) -> Response:
    """The problem document of an error.

    It points at the field of `body` that the error is about. `cart` is the current one, where the
    client needs it.
    """
    code = getattr(error, "wire_code", error.code)
    pointer = getattr(error, "pointer", "") or (pointers(body).get(code, "") if body else "")
    headers = dict(getattr(error, "headers", {}))
    detail = _detail(error, code)
    status = status_of(code)
    if status in _RETRY_AFTER:
        seconds = getattr(error, "retry_after", _RETRY_AFTER[status])
        headers.setdefault("Retry-After", str(seconds))
    problem = Problem(
        type=f"urn:ecart:error:{code}",
        title=_RFC_9110_TITLES.get(status) or HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        errors=(FieldProblem(pointer, code, detail),) if pointer else (),
        cart=cart,
        operation_id=getattr(error, "operation_id", None),
    )
    return Response(
        status=status,
        headers={"Content-Type": "application/problem+json", **headers},
        body=msgspec.json.encode(problem),
    )


def _detail(error: EcartError, code: str) -> str:
    # What an engine or a catalog reports of itself is for the log, not for a stranger.
    if code == "cart_merged":
        return "the cart was merged into another"  # whose id is no stranger's business
    if status_of(code) >= 500:
        return _PUBLIC_DETAILS.get(
            code, "something went wrong on our side; nothing is known to be lost"
        )
    return str(error)


_PUBLIC_DETAILS = {
    "unknown_transfer_coding": "the only transfer coding here is chunked",
    "store_unavailable": "the store cannot be reached; nothing was changed, try again",
    "outcome_unknown": "no answer from the store; repeat with the same Idempotency-Key",
    "catalog_unavailable": "the catalog cannot be read; nothing was changed, try again",
    "corrupt_cart": "what is stored for this cart cannot be read; it was left alone",
}
