"""Requests and responses as values."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ecart.http.sessions import Session


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What came in. Header names are lower case; `path` is percent-decoded.

    `body` may be cut after the limit's first byte too many: that is enough to refuse it.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    session: Session


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out. `keep_session` asks the framework to remember the session's cart id."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    keep_session: Session | None = None
