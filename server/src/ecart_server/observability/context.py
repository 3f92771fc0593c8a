"""What names a request: its own id, and the trace that it is part of (W3C Trace Context)."""

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
    """The names of one request. `trace_id` is empty where nobody traces."""

    request_id: str
    trace_id: str = ""


current: ContextVar[RequestContext | None] = ContextVar("ecart_request", default=None)
"""The request that is being answered; what is logged meanwhile names it."""


def context_of(headers: Iterable[tuple[bytes, bytes]]) -> RequestContext:
    """The names that a request brings in its headers, or a new id where it brings none."""
    sent = dict(headers)  # of a header in several lines the last one counts
    given, parent = sent.get(b"x-request-id"), sent.get(b"traceparent")
    if given is not None and _REQUEST_ID.fullmatch(given):
        request_id = given.decode()
    else:  # it names a line in a log and opens nothing, so it need not be hard to guess
        request_id = random.getrandbits(64).to_bytes(8).hex()
    return RequestContext(request_id, "" if parent is None else _trace_id(parent))


def _trace_id(value: bytes) -> str:
    parent = _TRACEPARENT.fullmatch(value)
    if parent is None or (parent[1] == b"00" and parent[3] is not None):
        return ""
    return parent[2].decode()
