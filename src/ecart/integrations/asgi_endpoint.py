"""The HTTP API as an ASGI app, which knows no framework. The bundled service runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ecart.http import HttpSettings, Request, Response, Session, declares_oversized_body, session_of
from ecart.http.problems import HttpError
from ecart.http.rate_gate import Gate
from ecart.integrations.asgi_messages import (
    Answer,
    Receive,
    Scope,
    Send,
    address_of,
    below_root,
    cookies_of,
    encode_headers,
    is_secure,
    may_have_body,
    read_body_in_time,
    send_response,
    used_headers,
)
from ecart.integrations.cookies import CONTEXT_KEY, CookieSession, SignedCookie
from ecart.integrations.host import AsyncHost
from ecart.store import AsyncStore
from ecart.stores.redis import Client

_NO_CONTEXT = (None, None)


class CartEndpoint:
    """The HTTP API as an ASGI app, to be mounted, or served as it is.

    `store` is an async store, an asyncio Redis client or a URL; what a URL opens is closed here.
    The first of `secret` signs the cookie, all of them verify it. `catalog` is a catalog, a
    function, a file's path, or None for the sample, with which unknown SKUs are accepted unless
    `settings` has another choice. A `standalone` one has the service's routes, too, and may have a
    `gate`, which limits rates.

    Raises:
        ValueError: the secret is empty.
        TypeError: a sync store or client, which would block the event loop.
    """

    def __init__(
        self,
        store: AsyncStore | Client | str,
        *,
        secret: str | Sequence[str],
        catalog: Any = None,
        settings: HttpSettings | None = None,
        standalone: bool = False,
        gate: Gate | None = None,
    ) -> None:
        self.cookie = SignedCookie(secret, settings)
        self.host = AsyncHost(
            store,
            tokens=self.cookie.tokens,
            catalog=catalog,
            settings=settings,
            standalone=standalone,
            gate=gate,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request, refuses a WebSocket, or takes part in the lifespan."""
        if scope["type"] == "http":
            await send_response(send, await self.answer(scope, receive))
        elif scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.close()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def answer(
        self, scope: Scope, receive: Receive, path: str | None = None
    ) -> Answer | None:
        """Status, headers and body; None if the client has gone.

        `path` is that of the API's route, where it is not what follows the `root_path`.
        """
        endpoint, own_session = scope.get(CONTEXT_KEY, _NO_CONTEXT)
        if endpoint is not self:
            own_session = None
        headers = used_headers(scope)
        if own_session is not None:
            session = own_session.session
        else:
            session = self.cookie.read(headers.get("cookie", ""), is_secure(scope))
        request = Request(
            method=scope["method"],
            path=below_root(scope) if path is None else path,
            headers=headers,
            address=address_of(scope),
            is_secure=is_secure(scope),
            session=session or session_of(None),
        )
        limit = self.host.settings.body_limit
        is_too_large = declares_oversized_body(headers, limit)
        if may_have_body(scope, headers) and not is_too_large:
            try:
                body = await read_body_in_time(receive, limit)
            except TimeoutError:
                return self.to_asgi(scope, self.host.api.refuse(request, _TOO_SLOW), own_session)
            if body is None:
                return None
            request, is_too_large = replace(request, body=body), len(body) > limit
        response = await self.host.answer(request)
        if is_too_large and scope.get("http_version", "").startswith("1"):  # the rest is not read
            response = replace(response, headers={**response.headers, "Connection": "close"})
        return self.to_asgi(scope, response, own_session)

    async def close(self) -> None:
        """Closes what a URL opened, in this event loop."""
        await self.host.close()

    def cookie_session(self, scope: Scope) -> CookieSession:
        """The session of a request, for the app's own views."""
        method = scope.get("method", "GET")  # a WebSocket's, which has none
        return CookieSession(self.cookie, method, used_headers(scope), is_secure(scope))

    def session_in(self, scope: Scope) -> Session:
        """The session of the cookie of a request, or a new one."""
        return self.cookie.read(cookies_of(scope), is_secure(scope)) or session_of(None)

    def to_asgi(
        self, scope: Scope, response: Response, session: CookieSession | None = None
    ) -> Answer:
        """The response in ASGI's form, with the cookie of a session that is to be kept.

        Where the app's middleware sends the cookie, `session` is the one that it has.
        """
        headers = encode_headers(response.headers)
        if response.keep_session:
            if session is not None:
                session.keep(response.keep_session)
            else:
                set_cookie = self.cookie.set_cookie(response.keep_session, is_secure(scope))
                headers.append((b"set-cookie", set_cookie.encode()))
        return response.status, headers, response.body


_TOO_SLOW = HttpError("request_timeout", "the body took too long", headers={"Connection": "close"})
