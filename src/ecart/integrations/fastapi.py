"""The cart in a FastAPI app: `ECart(app, store, secret=...)`, its `router`, and `CartDep`.

The HTTP API alone reads and answers the requests of its routes: FastAPI validates nothing there.
It runs the dependencies that the app gave the router, and shows the routes in its OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Annotated, Any

import anyio.from_thread
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Message, Receive, Scope

from ecart.cart import AsyncCart, Cart
from ecart.http.openapi import embedded_document
from ecart.http.routes import Route, may_hold_slashes
from ecart.integrations import starlette
from ecart.integrations.asgi_messages import below_root
from ecart.integrations.starlette import cart_from, sign_in, sign_out
from ecart.operations import Operation
from ecart.store import AsyncStore

__all__ = [
    "CartDep", "ECart", "SyncCartDep", "cart_from", "get_cart", "get_sync_cart", "sign_in",
    "sign_out",
]  # fmt: skip

_PARAMETER = re.compile(r"{(\w+)}")
_PREFIX = "ecart."
"""In front of the names of the cart's components in the app's document."""


async def get_cart(connection: HTTPConnection) -> AsyncCart:
    """The cart of the visitor, for `Depends`; `dependency_overrides` may replace it."""
    return cart_from(connection)


async def get_sync_cart(connection: HTTPConnection) -> Cart:
    """`get_cart` for endpoints that are `def`: each call waits for the store in the event loop."""
    cart = cart_from(connection)
    return Cart(cart.cart_id, _EventLoopStore(cart.store), rules=cart.rules)


CartDep = Annotated[AsyncCart, Depends(get_cart)]
SyncCartDep = Annotated[Cart, Depends(get_sync_cart)]


class _EventLoopStore:
    """A sync store for the threads of `def` endpoints, on the async store of the event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store

    def execute(self, cart_id: str, operation: Operation[Any], /) -> Any:
        return anyio.from_thread.run(self._store.execute, cart_id, operation)


class ECart(starlette.ECart):
    """As Starlette's; its routes come with `app.include_router(ecart.router)`."""

    def _add_routes(self, app: Starlette) -> None:
        if isinstance(app, FastAPI):
            app.openapi = self._with_schemas(app.openapi)  # type: ignore[method-assign]

    @cached_property
    def router(self) -> APIRouter:
        """The routes below `/cart`, and with keys those below `/carts`."""
        router = APIRouter(route_class=_CartRoute, tags=["cart"])
        host = self.endpoint.host
        for route in host.api.routes:
            self._add(router, route.path, route)
        for path in ("/cart", "/cart/{rest}", *["/carts/{rest}"] * bool(host.settings.office_keys)):
            self._add(router, path, None)
        return router

    @cached_property
    def _document(self) -> dict[str, Any]:
        api = self.endpoint.host.api
        return embedded_document(api.routes, api.settings.rules, _PREFIX)

    def _add(self, router: APIRouter, path: str, route: Route | None) -> None:
        """Adds a route of the API, or one for every other method and path, which OpenAPI hides."""
        operation: dict[str, Any] = {}
        if route is not None:
            operation = {**self._document["paths"][path][route.method.lower()]}
        router.add_api_route(
            _PARAMETER.sub(_with_convertor, path),
            self._endpoint_for(path),
            methods=[route.method] if route else [],
            name=operation.pop("operationId", "cart"),
            summary=operation.pop("summary", None),
            operation_id=None if route else "cart",
            include_in_schema=route is not None,
            status_code=200 if route is None or route.answers else 204,
            response_class=Response,
            openapi_extra=operation,
        )

    def _endpoint_for(self, path: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            # After the prefix under which the app has included the router.
            length = len(path.format(**request.path_params))
            own_path = below_root(request.scope)[-length:]
            answered = await self.endpoint.answer(request.scope, _receive(request), own_path)
            if answered is None:
                return Response()
            status, headers, body = answered
            response = Response(body, status)
            response.raw_headers = headers
            return response

        return answer

    def _with_schemas(self, openapi: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        def openapi_with_schemas() -> dict[str, Any]:
            document = openapi()
            if "router" in vars(self):
                components = document.setdefault("components", {})
                for kind, own in self._document["components"].items():
                    components.setdefault(kind, {}).update(own)
            return document

        return openapi_with_schemas


def _with_convertor(parameter: re.Match[str]) -> str:
    """A parameter as Starlette writes it: `{sku:path}` may hold slashes."""
    return f"{{{parameter[1]}:path}}" if may_hold_slashes(parameter[1]) else parameter[0]


class _CartRoute(APIRoute):
    """A route whose path may have line ends, at which Starlette's own patterns stop."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"].replace("\n", " ")
        return super().matches({**scope, "path": path} if path != scope["path"] else scope)


def _receive(request: Request) -> Receive:
    """Receives the body, also if a dependency of the app has read it before."""
    stream = request.stream()

    async def receive() -> Message:
        try:
            piece = await anext(stream, b"")
        except ClientDisconnect:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    return receive
