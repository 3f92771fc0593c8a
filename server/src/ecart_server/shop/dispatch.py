"""The pages as ASGI apps by path: what the service looks up before it asks the API."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from ecart.http import Request, Response
from ecart.http.problems import HttpError, problem_response
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.integrations.asgi_messages import (
    App,
    Receive,
    Scope,
    Send,
    address_of,
    cookies_of,
    headers_of,
    read_body_in_time,
    send_response,
)
from ecart_server.pages.assets import Asset
from ecart_server.shop.assets import shop_assets
from ecart_server.shop.events import EventStream
from ecart_server.shop.forms import FORMS
from ecart_server.shop.shop import ShopPages, picture
from ecart_server.shop.subscriptions import Following

_log = logging.getLogger("ecart.service")

Page = Callable[[Request, Scope, Receive], Awaitable[Response | None]]


ROUTES = (
    ("GET", "/"),
    ("GET", "/pictures"),
    ("GET", "/cart/events"),
    ("GET", "/assets/{version}/{file}"),
    *(("POST", path) for path in FORMS),
)
"""What is served here, by method and path."""


def site(endpoint: CartEndpoint, secrets: Sequence[str], following: Following) -> dict[str, App]:
    """The apps of all pages, by path."""
    shop = ShopPages(endpoint, secrets)

    async def front(request: Request, scope: Scope, receive: Receive) -> Response:
        return await shop.front(request, _query(scope), cookies_of(scope))

    async def form(request: Request, scope: Scope, receive: Receive) -> Response | None:
        whole = await _with_body(request, receive, endpoint.host.settings.body_limit)
        return None if whole is None else await shop.form(whole)

    async def drawing(request: Request, scope: Scope, receive: Receive) -> Response:
        return picture(request, _query(scope))

    pages: dict[str, tuple[str, Page]] = {"/": ("GET", front), "/pictures": ("GET", drawing)}
    pages |= {path: ("GET", _file(asset)) for path, asset in shop_assets().by_path.items()}
    pages |= dict.fromkeys(FORMS, ("POST", form))
    apps = {path: _app(endpoint, method, page) for path, (method, page) in pages.items()}
    return {**apps, "/cart/events": _events(endpoint, following)}


def _events(endpoint: CartEndpoint, following: Following) -> App:
    stream = EventStream(endpoint.host.store, endpoint.host.settings.rules, following)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(endpoint, scope)
        response = _of_other_method(request, "GET")
        if request.session.is_new or request.method == "HEAD":
            response = response or _NOTHING_TO_FOLLOW
        if response is None:
            try:
                await stream(request, receive, send)
            except HttpError as error:
                response = problem_response(error)
            else:
                return
        await send_response(send, endpoint.to_asgi(scope, _finished(request, response)))

    return app


_NOTHING_TO_FOLLOW = Response(status=204, headers={"Cache-Control": "no-store", "Vary": "Cookie"})
"""With this status a browser does not come back by itself."""


def _request(endpoint: CartEndpoint, scope: Scope) -> Request:
    return Request(
        method=scope["method"],
        path=scope["path"],
        headers=headers_of(scope),
        address=address_of(scope),
        session=endpoint.session_in(scope),
    )


def _app(endpoint: CartEndpoint, method: str, page: Page) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(endpoint, scope)
        try:
            response = _of_other_method(request, method) or await page(request, scope, receive)
        except Exception:
            _log.exception("a page failed unexpectedly")
            response = problem_response(HttpError("internal_error", ""))
        if response is not None:
            await send_response(send, endpoint.to_asgi(scope, _finished(request, response)))

    return app


def _of_other_method(request: Request, method: str) -> Response | None:
    if request.method == method or (request.method, method) == ("HEAD", "GET"):
        return None
    allow = {"Allow": "GET, HEAD, OPTIONS" if method == "GET" else f"{method}, OPTIONS"}
    if request.method == "OPTIONS":
        return Response(status=204, headers=allow)
    error = HttpError("method_not_allowed", "this cannot be done here", headers=allow)
    return problem_response(error)


def _finished(request: Request, response: Response) -> Response:
    if response.status in (204, 304):
        return response
    headers = {**response.headers, "Content-Length": str(len(response.body))}
    body = b"" if request.method == "HEAD" else response.body
    return replace(response, headers=headers, body=body)


async def _with_body(request: Request, receive: Receive, limit: int) -> Request | None:
    """The request with its body, empty of one that takes too long; None if the client has gone."""
    try:
        body = await read_body_in_time(receive, limit)
    except TimeoutError:
        body = b""
    return None if body is None else replace(request, body=body)


def _file(asset: Asset) -> Page:
    async def file(request: Request, scope: Scope, receive: Receive) -> Response:
        return asset.response(request)

    return file


def _query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return query.decode("latin-1")
