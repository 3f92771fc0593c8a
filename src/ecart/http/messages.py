"""Requests and responses as values."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ecart.http.sessions import Session

USED_HEADERS = (
    "accept", "authorization", "cart-token", "content-length", "content-type", "cookie", "host",
    "idempotency-key", "if-match", "if-none-match", "origin", "sec-fetch-site",
    "transfer-encoding", "x-forwarded-for",
)  # fmt: skip
"""The only headers of a request that the API reads; integrations may drop the rest."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request. Header names are lower case; `path` is percent-decoded, and below any mount.

    `body` may be cut off one byte after the limit: that is enough to refuse it. `params` are the
    parts of the path that the route names. `address` is the client's, as far as the server trusts
    what it knows of it, or empty.
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
        """Whether it is for the cart of the session."""
        return self.path == "/cart" or self.path.startswith("/cart/")


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A response. With `keep_session`, the framework's session is to keep that cart id."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    keep_session: Session | None = None
