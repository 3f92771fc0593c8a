"""The cart in a Starlette app: `ECart(app, store, secret=...)`, and `cart_from(request)`.

Starlette has no session of its own, so the cart's is a signed cookie, which holds the cart id and
nothing else. Everything here is plain ASGI; the bundled service runs on it too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecart.cart import AsyncCart
from ecart.catalog import as_catalog
from ecart.http import (
    Api,
    HttpSettings,
    Request,
    Response,
    Session,
    is_told_too_long,
    session_of,
)
from ecart.http.problems import HttpError
from ecart.integrations.drivers import answer_async
from ecart.store import AsyncStore
from ecart.stores.redis import Client, async_store_for
from ecart.tokens import SignedTokens

COOKIE_SECONDS = 365 * 24 * 3600
BODY_SECONDS = 10.0
"""How long a client may take to send a body of at most 16 KiB."""

_SCOPE_KEY = "ecart.session"


class ECart:
    """The cart of a Starlette app: the routes below `/cart`, and the cookie for `cart_from`.

    `store` is an async store, an asyncio Redis client or a URL. The first of `secret` signs the
    cookie, all of them verify it. `catalog` is a catalog, a function, a file's path, or None for
    the sample, with which unknown SKUs are accepted unless `settings` says otherwise.
    """

    def __init__(
        self,
        app: Starlette,
        store: AsyncStore | Client | str,
        *,
        secret: str | Sequence[str],
        catalog: Any = None,
        settings: HttpSettings | None = None,
    ) -> None:
        settings = settings or HttpSettings(accept_unknown_skus=catalog is None)
        self.endpoint = CartEndpoint(store, secret, catalog, settings)
        app.state.ecart = self.endpoint
        app.router.routes.append(Route("/cart", self.endpoint))
        app.router.routes.append(Below("/cart/", self.endpoint))
        if settings.office_keys:
            app.router.routes.append(Below("/carts/", self.endpoint))
        app.add_middleware(_KeepSession, endpoint=self.endpoint)


class Below(Route):
    """The route of all paths that begin like this; Starlette's own stop at a line end."""

    def __init__(self, prefix: str, endpoint: ASGIApp) -> None:
        super().__init__(f"{prefix}{{rest:path}}", endpoint)
        self.path_regex = re.compile(re.escape(prefix) + r"(?P<rest>[\s\S]*)")


def cart_from(request: StarletteRequest) -> AsyncCart:
    """The cart of the session of this request; a session without one gets one, and the cookie."""
    endpoint: CartEndpoint = request.app.state.ecart
    if _SCOPE_KEY not in request.scope:
        request.scope[_SCOPE_KEY] = endpoint.session(request.scope)
    session: Session = request.scope[_SCOPE_KEY]
    return AsyncCart(session.cart_id, endpoint.store, rules=endpoint.settings.rules)


class CartEndpoint:
    """The contract as an ASGI app."""

    def __init__(
        self,
        store: AsyncStore | Client | str,
        secret: str | Sequence[str],
        catalog: Any,
        settings: HttpSettings,
        *,
        standalone: bool = False,
    ) -> None:
        self.store = async_store_for(store)
        self.settings = settings
        self._tokens = SignedTokens([secret] if isinstance(secret, str) else secret)
        self._catalog = as_catalog(catalog, settings.rules.currency)
        self._api = Api(settings, self._tokens, standalone=standalone)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        request = Request(
            method=scope["method"],
            path=scope["path"].removeprefix(scope.get("root_path", "")),
            headers=_headers(scope),
            session=self.session(scope),
        )
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._body(request, receive)
        except TimeoutError:
            await self._send(scope, send, self._api.refuse(request, _TOO_SLOW))
            return
        if body is not None:
            request = replace(request, body=body)
            response = await answer_async(self._api, self.store, self._catalog, request)
            await self._send(scope, send, response)

    def session(self, scope: Scope) -> Session:
        """The session that the request's cookie proves, or a new one."""
        token = _cookie(scope, _cookie_name(scope))
        return session_of(None if token is None else self._tokens.read(token))

    def cookie_header(self, scope: Scope, session: Session) -> tuple[bytes, bytes]:
        """The header that has a browser keep the session."""
        attributes = f"Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax; Path=/"
        secure = "; Secure" if scope["scheme"] == "https" else ""
        value = self._tokens.sign(session.cart_id)
        cookie = f"{_cookie_name(scope)}={value}; {attributes}{secure}"
        return b"set-cookie", cookie.encode("latin-1")

    async def _body(self, request: Request, receive: Receive) -> bytes | None:
        limit = self.settings.body_limit
        return b"" if is_told_too_long(request.headers, limit) else await _read_body(receive, limit)

    async def _send(self, scope: Scope, send: Send, response: Response) -> None:
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers.items()
        ]
        if response.keep_session:
            headers.append(self.cookie_header(scope, response.keep_session))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})


class _KeepSession:
    """Sends the cookie of a session that `cart_from` began."""

    def __init__(self, app: ASGIApp, endpoint: CartEndpoint) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_cookie(message: Message) -> None:
            session = scope.get(_SCOPE_KEY)
            if message["type"] == "http.response.start" and session and session.is_new:
                header = self._endpoint.cookie_header(scope, session)
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        await self._app(scope, receive, send_with_cookie)


_TOO_SLOW = HttpError("request_timeout", "the body took too long", headers={"Connection": "close"})


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, cut behind its first byte too many; None if the client has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > limit or not message.get("more_body", False):
            return body[: limit + 1]


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        # A list may come in several lines (RFC 9110 §5.3).
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _cookie_name(scope: Scope) -> str:
    # Browsers take __Host- only with Secure; Python's cookie jars send no Secure cookie over http.
    return "__Host-ecart" if scope["scheme"] == "https" else "ecart"


def _cookie(scope: Scope, wanted: str) -> str | None:
    for header, value in scope["headers"]:
        if header == b"cookie":
            pairs: list[str] = value.decode("latin-1").split(";")
            for pair in pairs:
                name, _, text = pair.strip().partition("=")
                if name == wanted:
                    return text.strip('"')
    return None
