"""The cart for any ASGI framework: `app = ECart(app, store, secret=...)`, and `cart_from(scope)`.

Plain ASGI. The integrations for Starlette, FastAPI and Litestar are dresses of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecart.cart import AsyncCart
from ecart.http import HttpSettings, SignIn
from ecart.integrations.asgi_endpoint import VISIT, CartEndpoint
from ecart.integrations.asgi_messages import App, Message, Receive, Scope, Send, below_root
from ecart.integrations.cookies import Visit
from ecart.store import AsyncStore
from ecart.stores.redis import Client

__all__ = ["CartEndpoint", "CartMiddleware", "ECart", "cart_from", "sign_in", "sign_out"]


class CartMiddleware:
    """Around a host's app: its views find the visitor's cart, its answers carry the cookie.

    What the endpoint opened is closed when the host has shut down.
    """

    def __init__(self, app: App, endpoint: CartEndpoint) -> None:
        self.app = app
        self.endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what comes, and tells of the session in what goes out."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._closing(send))
        else:
            visit = self.endpoint.visit(scope)
            scope[VISIT] = (self.endpoint, visit)
            await self.app(scope, receive, _telling(visit, send))

    def _closing(self, send: Send) -> Send:
        async def close_and_send(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self.endpoint.close()
            await send(message)

        return close_and_send


class ECart(CartMiddleware):
    """An ASGI app with a cart: it answers below `/cart`, and leaves all else to `app`.

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
        """Answers what speaks of a cart."""
        if scope["type"] == "http" and self.endpoint.host.handles(below_root(scope)):
            await self.endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def cart_from(scope: Scope) -> AsyncCart:
    """The cart of the session of this request; a session without one gets one, and the cookie."""
    endpoint, visit = _visit(scope)
    return endpoint.host.cart(visit.begin())


async def sign_in(scope: Scope, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once, and has the session keep that one.

    Call it when your own code has let the user in.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was.
    """
    endpoint, visit = _visit(scope)
    done = await endpoint.host.sign_in(visit.kept_id, user_id)
    visit.keep(done.cart_id)
    return done


def sign_out(scope: Scope) -> None:
    """Has the session forget the cart, which stays for the user's next log-in."""
    _visit(scope)[1].forget()


def _visit(scope: Scope) -> tuple[CartEndpoint, Visit]:
    try:
        found: tuple[CartEndpoint, Visit] = scope[VISIT]
    except KeyError:
        raise RuntimeError(
            "this request has not come through ECart: is it set up for this app, and inside of "
            "the middleware that asks?"
        ) from None
    return found


def _telling(visit: Visit, send: Send) -> Send:
    async def send_with_session(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            headers = [*message.get("headers", ())]
            vary = b",".join(value for name, value in headers if name.lower() == b"vary")
            for name, value in visit.headers(vary.decode("latin-1")):
                headers.append((name.encode(), value.encode()))
            message = {**message, "headers": headers}
        await send(message)

    return send_with_session
