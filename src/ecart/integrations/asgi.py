"""The cart for any ASGI framework: `app = ECart(app, store, secret=...)`, and `cart_from(scope)`.

Plain ASGI. The integrations for Starlette, FastAPI and Litestar are built on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecart.cart import AsyncCart
from ecart.http import HttpSettings, SignIn
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.integrations.asgi_messages import App, Message, Receive, Scope, Send, below_root
from ecart.integrations.cookies import CONTEXT_KEY, CookieSession
from ecart.store import AsyncStore
from ecart.stores.redis import Client

__all__ = ["CartEndpoint", "CookieMiddleware", "ECart", "cart_from", "sign_in", "sign_out"]


class CookieMiddleware:
    """Around an app: its views find the visitor's cart, and its responses get the cookie.

    What the endpoint opened is closed when the app has shut down.
    """

    def __init__(self, app: App, endpoint: CartEndpoint) -> None:
        self.app = app
        self.endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with its session, and adds the session's headers."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._closing(send))
        else:
            session = self.endpoint.cookie_session(scope)
            scope[CONTEXT_KEY] = (self.endpoint, session)
            await self.app(scope, receive, _with_session_headers(self.endpoint, session, send))

    def _closing(self, send: Send) -> Send:
        async def close_and_send(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self.endpoint.close()
            await send(message)

        return close_and_send


class ECart(CookieMiddleware):
    """An ASGI app with a cart: it answers below `/cart`, and passes all else to `app`.

    The arguments are those of `CartEndpoint`.
    """

    def __init__(
        self,
        app: App,
        store: AsyncStore | Client | str,
        *,
        secret: str | Sequence[str],
        catalog: Any = None,
        settings: HttpSettings | None = None,
    ) -> None:
        endpoint = CartEndpoint(store, secret=secret, catalog=catalog, settings=settings)
        super().__init__(app, endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the requests for a cart."""
        if scope["type"] == "http" and self.endpoint.host.handles(below_root(scope)):
            await self.endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def cart_from(scope: Scope) -> AsyncCart:
    """The cart of the session of this request; a session without one gets one, and the cookie."""
    endpoint, session = _context(scope)
    return endpoint.host.cart(session.start(), session.forget)


async def sign_in(scope: Scope, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once; the session then holds the user's.

    Call it when your own code has let the user in.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was.
    """
    endpoint, session = _context(scope)
    done = await endpoint.host.sign_in(session.session, user_id)
    if done.session != session.session:  # else each response would carry a cookie
        session.keep(done.session)
    return done


def sign_out(scope: Scope) -> None:
    """Ends the session, of which no copy opens the cart any more; the cart stays for the user.

    It takes effect before the response is sent. If the store cannot be reached then, the response
    fails, and the log-out is to be repeated.
    """
    _context(scope)[1].end()


def _context(scope: Scope) -> tuple[CartEndpoint, CookieSession]:
    try:
        found: tuple[CartEndpoint, CookieSession] = scope[CONTEXT_KEY]
    except KeyError:
        raise RuntimeError(
            "this request has not come through ECart: is it set up for this app, and inside of "
            "the middleware that uses it?"
        ) from None
    return found


def _with_session_headers(endpoint: CartEndpoint, session: CookieSession, send: Send) -> Send:
    async def send_with_session(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            if session.ended is not None:
                await endpoint.host.sign_out(session.ended)
            headers = [*message.get("headers", ())]
            vary = b",".join(value for name, value in headers if name.lower() == b"vary")
            for name, value in session.headers(vary.decode("latin-1")):
                headers.append((name.encode(), value.encode()))
            message = {**message, "headers": headers}
        await send(message)

    return send_with_session
