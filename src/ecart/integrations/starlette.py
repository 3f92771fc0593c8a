"""The cart in a Starlette app: `ECart(app, store, secret=...)`, and `cart_from(request)`.

Starlette has no session of its own, so the cart's is a signed cookie, which holds the cart id and
nothing else.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route
from starlette.types import ASGIApp

from ecart.cart import AsyncCart
from ecart.http import HttpSettings, SignIn
from ecart.integrations import asgi
from ecart.integrations.asgi import CookieMiddleware
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.store import AsyncStore
from ecart.stores.redis import Client


class ECart:
    """The cart of a Starlette app: the routes below `/cart`, and the cookie for `cart_from`.

    `store` is an async store, an asyncio Redis client or a URL; what a URL opens is closed when
    the app shuts down. The first of `secret` signs the cookie, all of them verify it. `catalog` is
    a catalog, a function, a file's path, or None for the sample, with which unknown SKUs are
    accepted unless `settings` has another choice.
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
        self.endpoint = CartEndpoint(store, secret=secret, catalog=catalog, settings=settings)
        app.state.ecart = self.endpoint
        app.add_middleware(CookieMiddleware, endpoint=self.endpoint)
        self._add_routes(app)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:
        """Closes the store at the end: for an app that is mounted, which has no lifespan."""
        try:
            yield
        finally:
            await self.endpoint.close()

    def _add_routes(self, app: Starlette) -> None:
        app.router.routes.append(Route("/cart", self.endpoint))
        app.router.routes.append(PrefixRoute("/cart/", self.endpoint))
        if self.endpoint.host.settings.office_keys:
            app.router.routes.append(PrefixRoute("/carts/", self.endpoint))


class PrefixRoute(Route):
    """The route of all paths with this prefix; Starlette's own patterns stop at a line end."""

    def __init__(self, prefix: str, endpoint: ASGIApp) -> None:
        super().__init__(f"{prefix}{{rest:path}}", endpoint)
        self.path_regex = re.compile(re.escape(prefix) + r"(?P<rest>[\s\S]*)")


def cart_from(request: HTTPConnection) -> AsyncCart:
    """The cart of the session of this request; a session without one gets one, and the cookie."""
    return asgi.cart_from(request.scope)


async def sign_in(request: HTTPConnection, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once; the session then holds the user's.

    Call it when your own code has let the user in.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was.
    """
    return await asgi.sign_in(request.scope, user_id)


def sign_out(request: HTTPConnection) -> None:
    """Ends the session, of which no copy opens the cart any more; the cart stays for the user.

    It takes effect before the response is sent. If the store cannot be reached then, the response
    fails, and the log-out is to be repeated.
    """
    asgi.sign_out(request.scope)
