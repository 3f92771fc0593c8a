"""The HTTP contract as a WSGI app (PEP 3333), which knows no framework.

Under `VISIT`, the environ of a request in a host with a cart has the host's endpoint and the visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

from ecart.http import HttpSettings, Request, is_told_too_long
from ecart.integrations.cookies import SignedCookie, Visit
from ecart.integrations.host import Host
from ecart.store import Store
from ecart.stores.redis import Client

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]

VISIT = "ecart.visit"


class CartEndpoint:
    """The contract as a WSGI app.

    `store` is a store, a Redis client or a URL. The first of `secret` signs the cookie, all of
    them verify it. `catalog` is a catalog, a function, a file's path, or None for the sample, with
    which unknown SKUs are accepted unless `settings` says otherwise.

    Raises:
        ValueError: the secret is empty.
        TypeError: an asyncio store or client.
    """

    def __init__(
        self,
        store: Store | Client | str,
        *,
        secret: str | Sequence[str],
        catalog: Any = None,
        settings: HttpSettings | None = None,
    ) -> None:
        self.cookie = SignedCookie(secret)
        self.host = Host(store, tokens=self.cookie.tokens, catalog=catalog, settings=settings)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answers one request."""
        endpoint, visit = environ.get(VISIT, (None, None))
        if endpoint is not self:
            visit = self.visit(environ)
        request = _request(environ, visit, self.host.settings.body_limit)
        response = self.host.answer(request)
        headers = [*response.headers.items()]
        if response.keep_session:
            visit.keep(response.keep_session.cart_id)
            if endpoint is not self:  # else the host's middleware sends the cookie
                headers += visit.headers("Cookie")
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [response.body]

    def visit(self, environ: Environ) -> Visit:
        """The session of a request."""
        cookies = environ.get("HTTP_COOKIE", "")
        return Visit(self.cookie, cookies, environ["wsgi.url_scheme"] == "https")

    def close(self) -> None:
        """Closes what a URL opened; it is opened again when it is needed."""
        self.host.close()


def _request(environ: Environ, visit: Visit, limit: int) -> Request:
    names = {name for name in environ if name.startswith("HTTP_")}
    headers = {name[5:].replace("_", "-").lower(): environ[name] for name in names}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path_of(environ),
        headers=headers,
        body=b"" if is_told_too_long(headers, limit) else _body(environ, limit),
        session=visit.session,
    )


def _body(environ: Environ, limit: int) -> bytes:
    """The body, cut behind its first byte too many; of one without an end, nothing."""
    told = environ.get("CONTENT_LENGTH") or ""
    left = limit + 1 if environ.get("wsgi.input_terminated") else 0
    if told.isdecimal():
        left = min(int(told), limit + 1)
    pieces: list[bytes] = []
    while left > 0 and (piece := environ["wsgi.input"].read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def path_of(environ: Environ) -> str:
    """The path below the mount (`SCRIPT_NAME`)."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode(errors="replace")  # PEP 3333: bytes in a text
