"""The id of the request that is being answered, and its trace id (W3C Trace Context)."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from contextvars import ContextVar

import msgspec

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# A later version may append more (Trace Context §3.2.2); version ff is none.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


class RequestContext(msgspec.Struct):
    """The ids of one request. `trace_id` is empty if it is part of no trace."""

    request_id: str
    trace_id: str = ""


current: ContextVar[RequestContext | None] = ContextVar("ecart_request", default=None)
"""That of the running request; every line that is logged meanwhile has its ids."""


def context_of(headers: Iterable[tuple[bytes, bytes]]) -> RequestContext:
    """The ids in a request's headers; a new request id if they have none."""
    sent = dict(headers)  # of a header that is sent twice, the last one counts
    given, parent = sent.get(b"x-request-id"), sent.get(b"traceparent")
    if given is not None and _REQUEST_ID.fullmatch(given):
        request_id = given.decode()
    else:  # it only names lines of a log, so it need not be hard to guess
        request_id = random.getrandbits(64).to_bytes(8).hex()
    return RequestContext(request_id, "" if parent is None else _trace_id(parent))


def _trace_id(value: bytes) -> str:
    parent = _TRACEPARENT.fullmatch(value)
    if parent is None or (parent[1] == b"00" and parent[3] is not None):
        return ""
    return parent[2].decode()
