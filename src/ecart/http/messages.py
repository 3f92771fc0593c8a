"""Requests and responses as values."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ecart.http.sessions import Session

USED_HEADERS = (
    "accept", "authorization", "cart-token", "content-length", "content-type", "cookie", "host",
    "idempotency-key", "if-match", "if-none-match", "origin", "sec-fetch-site",
    "transfer-encoding", "user-agent", "x-forwarded-for",
)  # fmt: skip
"""The only headers of a request that the API reads; integrations may drop the rest."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request. Header names are lower case; `path` is percent-decoded, and below any mount.

    `body` may be cut off one byte after the limit: that is enough to refuse it. `params` are the
    parts of the path that the route names. `address` is the client's, as far as the server trusts
    what it knows of it, or empty. `is_secure`: it came by https. A request
    that `has_former_fingerprint` is compared with a record that names the cart, as those of before
    2.0 did for a day.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    session: Session
    params: Mapping[str, str] = {}
    address: str = ""
    is_secure: bool = False
    has_former_fingerprint: bool = False

    @property
    def is_of_shopper(self) -> bool:
        """Whether it is for the cart of the session."""
        return self.path == "/cart" or self.path.startswith("/cart/")

    @property
    def only_looks(self) -> bool:
        """Whether it asks a browser's question: what it asks for changes nothing."""
        return self.method in ("GET", "HEAD") and is_of_browser(self.headers)


def is_of_browser(headers: Mapping[str, str]) -> bool:
    """Whether a browser sent a request, or what passes itself off as one."""
    return "sec-fetch-site" in headers or headers.get("user-agent", "").startswith("Mozilla/")


PRIVATE_HEADERS = {"Cache-Control": "private, no-store", "Vary": "Cookie"}
"""Those of every answer that does not say itself who may cache it."""

SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
"""Those of every answer."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A response. With `keep_session`, the framework's session is to keep that cart id."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    keep_session: Session | None = None
