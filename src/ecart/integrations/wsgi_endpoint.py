"""The HTTP API as a WSGI app (PEP 3333), which knows no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from ecart.http import HttpSettings, Request, Session, declares_oversized_body
from ecart.http.guards import declared_length
from ecart.integrations.cookies import CONTEXT_KEY, CookieSession, SignedCookie
from ecart.integrations.host import Host
from ecart.store import Store
from ecart.stores.redis import Client

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Any], Iterable[bytes]]


class CartEndpoint:
    """The HTTP API as a WSGI app.

    `store` is a store, a Redis client or a URL. The first of `secret` signs the cookie, all of
    them verify it. `catalog` is a catalog, a function, a file's path, or None for the sample, with
    which unknown SKUs are accepted unless `settings` has another choice.

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
        self.cookie = SignedCookie(secret, settings)
        self.host = Host(store, tokens=self.cookie.tokens, catalog=catalog, settings=settings)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answers one request."""
        endpoint, session = environ.get(CONTEXT_KEY, (None, None))
        if endpoint is not self:
            session = self.cookie_session(environ)
        request = _request(environ, session.session, self.host.settings.body_limit)
        response = self.host.answer(request)
        headers = [*response.headers.items()]
        if response.keep_session:
            session.keep(response.keep_session)
            if endpoint is not self:  # else `ECart` around the app sends the cookie
                headers += session.headers("Cookie")
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [response.body]

    def cookie_session(self, environ: Environ) -> CookieSession:
        """The session of a request."""
        is_secure = environ["wsgi.url_scheme"] == "https"
        return CookieSession(
            self.cookie, environ["REQUEST_METHOD"], _headers_of(environ), is_secure
        )

    def close(self) -> None:
        """Closes what a URL opened; it is opened again when it is needed."""
        self.host.close()


def _request(environ: Environ, session: Session, limit: int) -> Request:
    headers = _headers_of(environ)
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path_of(environ),
        headers=headers,
        body=b"" if declares_oversized_body(headers, limit) else _body(environ, headers, limit),
        session=session,
        is_secure=environ["wsgi.url_scheme"] == "https",
    )


def _headers_of(environ: Environ) -> dict[str, str]:
    names = {name for name in environ if name.startswith("HTTP_")}
    headers = {name[5:].replace("_", "-").lower(): environ[name] for name in names}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def _body(environ: Environ, headers: Mapping[str, str], limit: int) -> bytes:
    """The body, cut off one byte after the limit; nothing of a body without an end."""
    left = declared_length(headers)
    if left is None:
        left = limit + 1 if environ.get("wsgi.input_terminated") else 0
    pieces: list[bytes] = []
    while left > 0 and (piece := environ["wsgi.input"].read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def path_of(environ: Environ) -> str:
    """The path below the mount (`SCRIPT_NAME`)."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode(errors="replace")  # PEP 3333: bytes in a text
