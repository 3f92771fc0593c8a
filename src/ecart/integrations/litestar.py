"""The cart in a Litestar app: a plugin, `ECart(store, secret=...)`, and the dependency `cart`.

The contract alone reads and answers the requests of its routes, which are one handler. What they
take and give is added to the host's OpenAPI when that is made.
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
from ecart.integrations.asgi import CartMiddleware
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.integrations.asgi_messages import Answer, below_root, send_over
from ecart.integrations.litestar_document import describing
from ecart.store import AsyncStore
from ecart.stores.redis import Client

__all__ = ["ECart", "cart_from", "sign_in", "sign_out"]

Connection = ASGIConnection[Any, Any, Any, Any]


class ECart(InitPlugin):
    """The cart of a Litestar app, as a plugin: the routes, the cookie, the dependency `cart`.

    `store` is an async store, an asyncio Redis client or a URL; what a URL opens is closed when
    the app shuts down. The first of `secret` signs the cookie, all of them verify it. `catalog` is
    a catalog, a function, a file's path, or None for the sample, with which unknown SKUs are
    accepted unless `settings` says otherwise. `dependency` names the injected cart.
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
        """Adds what the class says; the host's own dependency of that name goes first."""
        prefix = ("/" + (app_config.path or "").strip("/")).rstrip("/")
        middleware: Any = CartMiddleware
        app_config.route_handlers.append(_handler(self.endpoint, prefix))
        app_config.middleware.append(DefineMiddleware(middleware, endpoint=self.endpoint))
        provide = Provide(_provide_cart, sync_to_thread=False)
        app_config.dependencies.setdefault(self._dependency, provide)
        app_config.on_shutdown.append(self.endpoint.close)
        if app_config.openapi_config is not None:
            app_config.openapi_config = describing(
                app_config.openapi_config, self.endpoint.host.api, prefix
            )
        return app_config


def cart_from(request: Connection) -> AsyncCart:
    """The cart of the session of this request; a session without one gets one, and the cookie."""
    return plain.cart_from(_scope(request))


async def sign_in(request: Connection, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once, and has the session keep that one.

    Call it when your own code has let the user in.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was.
    """
    return await plain.sign_in(_scope(request), user_id)


def sign_out(request: Connection) -> None:
    """Has the session forget the cart, which stays for the user's next log-in."""
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
        exclude_from_csrf=True,  # the contract refuses changes from other sites by itself
    )
    async def cart_endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
        scope: Any = request.scope
        path = _sent_path(scope).removeprefix(prefix)
        return _app(await endpoint.answer(scope, _receive(request, limit), path))

    return cart_endpoint


def _receive(request: Request[Any, Any, Any], limit: int) -> Any:
    """The body, also if something of the host's has read it before."""

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
        await send_over(send, answer)

    return send_answer


def _sent_path(scope: Any) -> str:
    """The path as it was sent: Litestar joins slashes, which may stand in a line's id."""
    raw: bytes = scope.get("raw_path") or b""
    path = unquote(raw.partition(b"?")[0].decode("latin-1")) or scope["path"]
    return below_root({**scope, "path": path})
