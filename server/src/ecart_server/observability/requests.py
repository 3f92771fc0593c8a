"""Around the service's app: each request gets an id, is counted and timed, and may be logged.

A path never becomes a label or a word of the log: what is told is the route's template.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecart.http.routes import BACK_OFFICE_ROUTES, HEALTH_ROUTES, SHOPPER_ROUTES
from ecart.integrations.asgi_messages import Answer, send_response
from ecart_server.observability.context import context_of, current
from ecart_server.observability.series import OTHER, Cells, Family, Layout, observe

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STATUSES = (
    *(200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408),
    *(409, 410, 412, 413, 415, 422, 428, 429, 431, 500, 501, 502, 503, 504),
)
NO_ANSWER = "none"
"""The status of a request whose client went away before there was an answer."""

_CODES = {**{str(status): status for status in STATUSES}, NO_ANSWER: 0, OTHER: -1}
_REQUESTS = "ecart_http_requests"
_SECONDS = "ecart_http_request_seconds"
_PARAMETER = re.compile(r"\\{\w+\\}")

access_log = logging.getLogger("ecart.access")

Answering = Callable[[Scope, Receive], Awaitable[Answer | None]]
"""Answers a request whole; None to a client that has gone."""

Route = tuple[str, str]
"""A method, and the template of a path, such as `/cart/items/{line_id}`."""

CONTRACT: tuple[Route, ...] = (
    *((r.method, r.path) for r in (*SHOPPER_ROUTES, *BACK_OFFICE_ROUTES, *HEALTH_ROUTES)),
    *(("GET", path) for path in ("/", "/docs", "/openapi.json")),
)


class RouteNames:
    """Which route a request is for: a template from a table, never what the client wrote."""

    def __init__(self, routes: Iterable[Route]) -> None:
        known = dict.fromkeys(routes)
        self._plain = {route: route[1] for route in known if "{" not in route[1]}
        # A parameter may hold slashes, so the longest template that fits is meant.
        self._templates = [
            (method, re.compile(_PARAMETER.sub(".+", re.escape(path)), re.DOTALL), path)
            for method, path in sorted(known, key=lambda route: -len(route[1]))
            if "{" in path
        ]
        self.all = (*dict.fromkeys(path for _, path in known), OTHER)

    def of(self, method: str, path: str) -> str:
        """The template; HEAD is answered where GET is."""
        asked = "GET" if method == "HEAD" else method
        plain = self._plain.get((asked, path))
        if plain is not None:
            return plain
        for known, pattern, template in self._templates:
            if known == asked and pattern.fullmatch(path):
                return template
        return OTHER


def families(names: RouteNames) -> tuple[Family, ...]:
    """What is counted of requests for these routes."""
    routes = {"method": (*METHODS, OTHER), "route": names.all}
    by_status = {**routes, "status": tuple(_CODES)}
    return (
        Family(_REQUESTS, "HTTP requests by route and status.", by_status),
        Family(_SECONDS, "Seconds until an HTTP request was answered.", routes, is_histogram=True),
    )


class _Route(NamedTuple):
    """How a method of a route is shown, and where it is counted: by status, and in seconds."""

    method: str
    route: str
    statuses: dict[int, int]
    seconds: int


class RequestNumbers:
    """Counts requests."""

    def __init__(self, layout: Layout, cells: Cells, names: RouteNames) -> None:
        self._cells = cells
        self._names = names
        self._routes = {
            shown: _Route(shown[0], shown[1], {}, place)
            for shown, place in layout.places(_SECONDS).items()
        }
        for (method, route, status), place in layout.places(_REQUESTS).items():
            self._routes[method, route].statuses[_CODES[status]] = place

    def answered(self, method: str, path: str, status: int, seconds: float) -> tuple[str, str]:
        """Counts a request, and tells its method and route as they may be shown."""
        found = self._routes.get((method, path))  # most paths are their own templates
        if found is None:
            shown = method if method in METHODS else OTHER
            found = self._routes[shown, self._names.of(method, path)]
        self._cells[found.statuses.get(status, found.statuses[-1])] += 1.0
        observe(self._cells, found.seconds, seconds)
        return found.method, found.route


class ObservedApp:
    """An app whose requests are counted; lifespan and WebSockets pass through.

    `pages` are other apps that answer some paths, exactly these. `answer` tells all that the app
    would send: then there is nothing in between to listen to, and nothing to wait for.
    """

    def __init__(
        self,
        app: ASGIApp,
        numbers: RequestNumbers,
        *,
        pages: Mapping[str, ASGIApp] = {},
        answer: Answering | None = None,
        is_logged: bool = False,
    ) -> None:
        self._app = app
        self._pages = pages
        self._answer = answer
        self._numbers = numbers
        self._is_logged = is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does, with `X-Request-Id`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0
        context = context_of(scope["headers"])
        name = (b"x-request-id", context.request_id.encode())
        current.set(context)  # and left so: the server may still have to log what is raised here
        try:
            page = self._pages.get(scope["path"])
            if page is None and self._answer is not None:
                answer = await self._answer(scope, receive)
                if answer is not None:
                    status, headers, body = answer
                    await send_response(send, (status, [*headers, name], body))
            else:
                named = _Named(send, name)
                try:
                    await (page or self._app)(scope, receive, named)
                finally:
                    status = named.status
        except Exception:
            status = status or 500  # as the server answers
            raise
        finally:
            seconds = perf_counter() - began
            told = self._numbers.answered(scope["method"], scope["path"], status, seconds)
            if self._is_logged:
                _log_access(*told, status, seconds)


class _Named:
    """Sends an answer with the request's name among its headers; `status` is 0 before it."""

    __slots__ = ("_name", "_send", "status")

    def __init__(self, send: Send, name: tuple[bytes, bytes]) -> None:
        self._send = send
        self._name = name
        self.status = 0

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), self._name]
        return self._send(message)


def _log_access(method: str, route: str, status: int, seconds: float) -> None:
    shown = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    access_log.info(
        "%s %s %d in %.1f ms", method, route, status, seconds * 1000, extra={"fields": shown}
    )
