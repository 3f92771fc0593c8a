"""Requests and responses as values."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ecart.http.sessions import Session

HEEDED = (
    "accept", "authorization", "cart-token", "content-length", "content-type", "cookie", "host",
    "idempotency-key", "if-match", "if-none-match", "origin", "sec-fetch-site",
    "transfer-encoding", "x-forwarded-for",
)  # fmt: skip
"""The headers that somebody may ask of a request to the contract; integrations may leave others."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What came in. Header names are lower case; `path` is percent-decoded.

    `body` may be cut after the limit's first byte too many: that is enough to refuse it. `params`
    are the parts of the path that the route names. `address` is the client's, as far as the server
    trusts what it knows of it, or empty.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    session: Session
    params: Mapping[str, str] = {}
    address: str = ""

    @property
    def is_of_shopper(self) -> bool:
        """Whether it speaks of the session's own cart."""
        return self.path == "/cart" or self.path.startswith("/cart/")


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out. `keep_session` asks the framework to remember the session's cart id."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    keep_session: Session | None = None
