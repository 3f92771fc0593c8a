"""The HTTP contract as an ASGI app, which knows no framework. The bundled service runs on it.

Under `VISIT`, the scope of a request in a host with a cart has the host's endpoint and the visit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ecart.http import HttpSettings, Request, Response, Session, is_told_too_long, session_of
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
    heeded_headers,
    is_secure,
    may_have_body,
    read_body_in_time,
    sent_headers,
)
from ecart.integrations.cookies import SignedCookie, Visit
from ecart.integrations.host import AsyncHost
from ecart.store import AsyncStore
from ecart.stores.redis import Client

VISIT = "ecart.visit"
_NO_VISIT = (None, None)


class CartEndpoint:
    """The contract as an ASGI app, to be mounted, or served as it is.

    `store` is an async store, an asyncio Redis client or a URL; what a URL opens is closed here.
    The first of `secret` signs the cookie, all of them verify it. `catalog` is a catalog, a
    function, a file's path, or None for the sample, with which unknown SKUs are accepted unless
    `settings` says otherwise. A `standalone` one has the service's routes too, and maybe a `gate`.

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
        self.cookie = SignedCookie(secret)
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
            answer = await self.answer(scope, receive)
            if answer is not None:
                status, headers, body = answer
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def answer(
        self, scope: Scope, receive: Receive, path: str | None = None
    ) -> Answer | None:
        """Status, headers and body; None if the client has gone.

        `path` is the one in the contract, where it is not what follows the `root_path`.
        """
        endpoint, visit = scope.get(VISIT, _NO_VISIT)
        if endpoint is not self:
            visit = None
        headers = heeded_headers(scope)
        if visit is not None:
            session = visit.session
        else:
            session = session_of(self.cookie.read(headers.get("cookie", ""), is_secure(scope)))
        request = Request(
            method=scope["method"],
            path=below_root(scope) if path is None else path,
            headers=headers,
            address=address_of(scope),
            session=session,
        )
        limit = self.host.settings.body_limit
        if may_have_body(scope, headers) and not is_told_too_long(headers, limit):
            try:
                body = await read_body_in_time(receive, limit)
            except TimeoutError:
                return self.said(scope, self.host.api.refuse(request, _TOO_SLOW), visit)
            if body is None:
                return None
            request = replace(request, body=body)
        return self.said(scope, await self.host.answer(request), visit)

    async def close(self) -> None:
        """Closes what a URL opened, in this event loop."""
        await self.host.close()

    def visit(self, scope: Scope) -> Visit:
        """The session of a request in the host's own views."""
        return Visit(self.cookie, cookies_of(scope), is_secure(scope))

    def session_in(self, scope: Scope) -> Session:
        """The session that the cookie of a request keeps, or a new one."""
        return session_of(self.cookie.read(cookies_of(scope), is_secure(scope)))

    def said(self, scope: Scope, response: Response, visit: Visit | None = None) -> Answer:
        """The response as it is sent, with the cookie of a session that is to be kept."""
        headers = sent_headers(response.headers)
        if response.keep_session:
            cart_id = response.keep_session.cart_id
            if visit is not None:
                visit.keep(cart_id)  # the host's middleware sends the cookie
            else:
                set_cookie = self.cookie.kept(cart_id, is_secure(scope))
                headers.append((b"set-cookie", set_cookie.encode()))
        return response.status, headers, response.body

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


_TOO_SLOW = HttpError("request_timeout", "the body took too long", headers={"Connection": "close"})
