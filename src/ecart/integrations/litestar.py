"""The cart in a Litestar app: a plugin, `ECart(store, secret=...)`, and the dependency `cart`.

The HTTP API alone reads and answers the requests of its routes, which are one handler. Their
description is added to the app's OpenAPI document when that is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from litestar import Request, route
from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.enums import HttpMethod
from litestar.exceptions import InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.plugins import InitPlugin
from litestar.types import ASGIApp, Receive, Scope

from ecart.cart import AsyncCart
from ecart.http import HttpSettings, SignIn
from ecart.integrations import asgi as plain
from ecart.integrations.asgi import CookieMiddleware
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.integrations.asgi_messages import Answer, below_root, send_response
from ecart.integrations.litestar_document import with_cart_routes
from ecart.store import AsyncStore
from ecart.stores.redis import Client

__all__ = ["ECart", "cart_from", "sign_in", "sign_out"]

Connection = ASGIConnection[Any, Any, Any, Any]


class ECart(InitPlugin):
    """The cart of a Litestar app, as a plugin: the routes, the cookie, the dependency `cart`.

    `store` is an async store, an asyncio Redis client or a URL; what a URL opens is closed when
    the app shuts down. The first of `secret` signs the cookie, all of them verify it. `catalog` is
    a catalog, a function, a file's path, or None for the sample, with which unknown SKUs are
    accepted unless `settings` has another choice. `dependency` names the injected cart.
    """

    def __init__(
        self,
        store: AsyncStore | Client | str,
        *,
        secret: str | Sequence[str],
        catalog: Any = None,
        settings: HttpSettings | None = None,
        dependency: str = "cart",
    ) -> None:
        self.endpoint = CartEndpoint(store, secret=secret, catalog=catalog, settings=settings)
        self._dependency = dependency

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Adds routes, cookie and dependency; an own dependency of that name has precedence."""
        prefix = ("/" + (app_config.path or "").strip("/")).rstrip("/")
        middleware: Any = CookieMiddleware
        app_config.route_handlers.append(_handler(self.endpoint, prefix))
        app_config.middleware.append(DefineMiddleware(middleware, endpoint=self.endpoint))
        provide = Provide(_provide_cart, sync_to_thread=False)
        app_config.dependencies.setdefault(self._dependency, provide)
        app_config.on_shutdown.append(self.endpoint.close)
        if app_config.openapi_config is not None:
            app_config.openapi_config = with_cart_routes(
                app_config.openapi_config, self.endpoint.host.api, prefix
            )
        return app_config


def cart_from(request: Connection) -> AsyncCart:
    """The cart of the session of this request; a session without one gets one, and the cookie."""
    return plain.cart_from(_scope(request))


async def sign_in(request: Connection, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once; the session then holds the user's.

    Call it when your own code has let the user in.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was.
    """
    return await plain.sign_in(_scope(request), user_id)


def sign_out(request: Connection) -> None:
    """Ends the session, of which no copy opens the cart any more; the cart stays for the user.

    It takes effect before the response is sent. If the store cannot be reached then, the response
    fails, and the log-out is to be repeated.
    """
    plain.sign_out(_scope(request))


def _scope(request: Connection) -> Any:
    return request.scope


def _provide_cart(scope: Scope) -> AsyncCart:
    untyped: Any = scope
    return plain.cart_from(untyped)


def _handler(endpoint: CartEndpoint, prefix: str) -> HTTPRouteHandler:
    paths = ["/cart", "/cart/{rest:path}"]
    if endpoint.host.settings.office_keys:
        paths.append("/carts/{rest:path}")
    limit = endpoint.host.settings.body_limit

    @route(
        paths,
        http_method=[*HttpMethod],
        include_in_schema=False,
        request_max_body_size=limit,
        exclude_from_csrf=True,  # the API refuses changes from other sites by itself
    )
    async def cart_endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
        scope: Any = request.scope
        path = _raw_path(scope).removeprefix(prefix)
        return _app(await endpoint.answer(scope, _receive(request, limit), path))

    return cart_endpoint


def _receive(request: Request[Any, Any, Any], limit: int) -> Any:
    """Receives the body, also if code of the app has read it before."""

    async def receive() -> dict[str, Any]:
        try:
            body = await request.body()
        except RequestEntityTooLarge:
            body = bytes(limit + 1)
        except InternalServerException:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body}

    return receive


def _app(answer: Answer | None) -> ASGIApp:
    async def send_answer(scope: Scope, receive: Receive, send: Any) -> None:
        await send_response(send, answer)

    return send_answer


def _raw_path(scope: Any) -> str:
    """The path before Litestar joins slashes, which a line's id may have."""
    raw: bytes = scope.get("raw_path") or b""
    path = unquote(raw.partition(b"?")[0].decode("latin-1")) or scope["path"]
    return below_root({**scope, "path": path})
