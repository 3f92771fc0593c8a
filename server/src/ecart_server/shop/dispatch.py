"""The paths of the shop page, its forms, files and live updates, each as an ASGI app.

The service looks a request's path up in this table, and sends every other path to the API. A route
of the API passes through none of this.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from ecart.errors import SessionEndedError
from ecart.http import Request, Response
from ecart.http.messages import PRIVATE_HEADERS, SECURITY_HEADERS
from ecart.http.problems import HttpError, problem_response
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.integrations.asgi_messages import (
    App,
    Receive,
    Scope,
    Send,
    address_of,
    headers_of,
    is_secure,
    read_body_in_time,
    send_response,
)
from ecart_server.pages.assets import Asset
from ecart_server.shop.assets import shop_assets
from ecart_server.shop.events import EventStream
from ecart_server.shop.forms import FORMS
from ecart_server.shop.shop import ShopPages, picture
from ecart_server.shop.subscriptions import Subscriptions

_log = logging.getLogger("ecart.service")

PageHandler = Callable[[Request, Scope, Receive], Awaitable[Response | None]]
"""Answers a request; None if the client has disconnected."""

ROUTES = (
    ("GET", "/"),
    ("GET", "/pictures"),
    ("GET", "/cart/events"),
    ("GET", "/assets/{version}/{file}"),
    *(("POST", path) for path in FORMS),
)
"""The method and the path template of everything that is served here."""


def shop_apps(
    endpoint: CartEndpoint, secrets: Sequence[str], subscriptions: Subscriptions
) -> dict[str, App]:
    """The ASGI app of each path. `secrets` sign the tokens of forms, as they sign sessions."""
    shop = ShopPages(endpoint, secrets)

    async def front(request: Request, scope: Scope, receive: Receive) -> Response:
        return await shop.front(request, _query(scope))

    async def form(request: Request, scope: Scope, receive: Receive) -> Response | None:
        try:
            body = await read_body_in_time(receive, endpoint.host.settings.body_limit)
        except TimeoutError:
            body = b""  # which is refused, as it has no token
        return None if body is None else await shop.form(replace(request, body=body))

    async def drawing(request: Request, scope: Scope, receive: Receive) -> Response:
        return picture(request, _query(scope))

    handlers: dict[str, tuple[str, PageHandler]] = {
        "/": ("GET", front),
        "/pictures": ("GET", drawing),
        **{path: ("GET", _asset_handler(asset)) for path, asset in shop_assets().by_path.items()},
        **dict.fromkeys(FORMS, ("POST", form)),
    }
    apps = {path: _app(endpoint, method, page) for path, (method, page) in handlers.items()}
    return {**apps, "/cart/events": _events_app(endpoint, subscriptions)}


def _events_app(endpoint: CartEndpoint, subscriptions: Subscriptions) -> App:
    stream = EventStream(endpoint.host.store, endpoint.host.settings.rules, subscriptions)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(endpoint, scope)
        response = _unless_method(request, "GET")
        if request.session.is_new or request.method == "HEAD":
            response = response or _NO_STREAM
        if response is None:
            try:
                await stream(request, receive, send)
            except SessionEndedError:
                response = _NO_STREAM
            except HttpError as error:
                response = problem_response(error)
            else:
                return
        await send_response(send, endpoint.to_asgi(scope, _finished(request, response)))

    return app


_NO_STREAM = Response(status=204)
"""There is no cart to follow. A browser does not reconnect after 204 (HTML, server-sent events)."""


def _request(endpoint: CartEndpoint, scope: Scope) -> Request:
    return Request(
        method=scope["method"],
        path=scope["path"],
        headers=headers_of(scope),
        address=address_of(scope),
        session=endpoint.session_in(scope),
        is_secure=is_secure(scope),
    )


def _app(endpoint: CartEndpoint, method: str, page: PageHandler) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(endpoint, scope)
        try:
            response = _unless_method(request, method) or await page(request, scope, receive)
        except Exception:
            _log.exception("a page failed unexpectedly")
            response = problem_response(HttpError("internal_error", ""))
        if response is not None:
            await send_response(send, endpoint.to_asgi(scope, _finished(request, response)))

    return app


def _unless_method(request: Request, method: str) -> Response | None:
    """The answer to OPTIONS, and to a method other than the one of this path; else None."""
    if request.method == method or (request.method, method) == ("HEAD", "GET"):
        return None
    allow = {"Allow": "GET, HEAD, OPTIONS" if method == "GET" else f"{method}, OPTIONS"}
    if request.method == "OPTIONS":
        return Response(status=204, headers=allow)
    error = HttpError("method_not_allowed", "this cannot be done here", headers=allow)
    return problem_response(error)


def _finished(request: Request, response: Response) -> Response:
    """The response with the headers that all have, and without its body for HEAD."""
    headers = {**SECURITY_HEADERS, **response.headers}
    if "Cache-Control" not in headers:
        headers |= PRIVATE_HEADERS
    if response.status in (204, 304):
        return replace(response, headers=headers)
    headers["Content-Length"] = str(len(response.body))
    body = b"" if request.method == "HEAD" else response.body
    return replace(response, headers=headers, body=body)


def _asset_handler(asset: Asset) -> PageHandler:
    async def handler(request: Request, scope: Scope, receive: Receive) -> Response:
        return asset.response(request)

    return handler


def _query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return query.decode("latin-1")
