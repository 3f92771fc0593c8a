"""Middleware around the service's app: each request gets an id, is counted and timed, maybe logged.

Labels and the log have the template of a route, never the path: a path may hold a cart id.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecart.http.routes import BACK_OFFICE_ROUTES, HEALTH_ROUTES, SHOPPER_ROUTES, path_pattern
from ecart.integrations.asgi_messages import Answer, send_response
from ecart_server.observability.context import context_of, current
from ecart_server.observability.series import OTHER, CellLayout, Cells, Family, observe

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STATUSES = (
    *(200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408),
    *(409, 410, 412, 413, 415, 422, 428, 429, 431, 500, 501, 502, 503, 504),
)
NO_ANSWER = "none"
"""The status of a request whose client disconnected before there was an answer."""

_CODES = {**{str(status): status for status in STATUSES}, NO_ANSWER: 0, OTHER: -1}
_REQUESTS = "ecart_http_requests"
_SECONDS = "ecart_http_request_seconds"

access_log = logging.getLogger("ecart.access")

AnswerFunction = Callable[[Scope, Receive], Awaitable[Answer | None]]
"""Gives the whole answer to a request; None if the client has disconnected."""

RouteKey = tuple[str, str]
"""A method, and the template of a path, such as `/cart/items/{line_id}`."""

API_ROUTES: tuple[RouteKey, ...] = (
    *((r.method, r.path) for r in (*SHOPPER_ROUTES, *BACK_OFFICE_ROUTES, *HEALTH_ROUTES)),
    *(("GET", path) for path in ("/", "/docs", "/openapi.json")),
)


class RouteTable:
    """Finds the path template of a request; one from the table, never what the client wrote."""

    def __init__(self, routes: Iterable[RouteKey]) -> None:
        known = dict.fromkeys(routes)
        self._plain = {route: route[1] for route in known if "{" not in route[1]}
        # A parameter may hold slashes, so the longest template that matches is the right one.
        self._templates = [
            (method, path_pattern(path), path)
            for method, path in sorted(known, key=lambda route: -len(route[1]))
            if "{" in path
        ]
        self.all = (*dict.fromkeys(path for _, path in known), OTHER)

    def template(self, method: str, path: str) -> str:
        """The template of a path, or `other`. HEAD has the routes of GET."""
        routed = "GET" if method == "HEAD" else method
        plain = self._plain.get((routed, path))
        if plain is not None:
            return plain
        for known, pattern, template in self._templates:
            if known == routed and pattern.fullmatch(path):
                return template
        return OTHER


def request_families(routes: RouteTable) -> tuple[Family, ...]:
    """The metric families of requests, with a series for each route."""
    by_route = {"method": (*METHODS, OTHER), "route": routes.all}
    by_status = {**by_route, "status": tuple(_CODES)}
    return (
        Family(_REQUESTS, "HTTP requests by route and status.", by_status),
        Family(
            _SECONDS, "Seconds until an HTTP request was answered.", by_route, is_histogram=True
        ),
    )


class _RouteCells(NamedTuple):
    """The labels of a method and route, the cell of each status, and the first of its durations."""

    method: str
    route: str
    statuses: dict[int, int]
    seconds: int


class RequestCounters:
    """Counts and times requests by method, route and status."""

    def __init__(self, layout: CellLayout, cells: Cells, routes: RouteTable) -> None:
        self._cells = cells
        self._table = routes
        self._routes = {
            labels: _RouteCells(labels[0], labels[1], {}, place)
            for labels, place in layout.places(_SECONDS).items()
        }
        for (method, route, status), place in layout.places(_REQUESTS).items():
            self._routes[method, route].statuses[_CODES[status]] = place

    def count(self, method: str, path: str, status: int, seconds: float) -> tuple[str, str]:
        """Counts a request; status 0 is no answer. Returns the method and route of its labels."""
        found = self._routes.get((method, path))  # most paths are their own templates
        if found is None:
            label = method if method in METHODS else OTHER
            found = self._routes[label, self._table.template(method, path)]
        self._cells[found.statuses.get(status, found.statuses[-1])] += 1.0
        observe(self._cells, found.seconds, seconds)
        return found.method, found.route


class ObservedApp:
    """ASGI middleware that counts requests; lifespan and WebSockets pass through it.

    `pages` are apps that answer some paths, each exactly that one. `answer` gives the whole answer
    of the app as a value, which saves a wrapper around `send` and two awaits.
    """

    def __init__(
        self,
        app: ASGIApp,
        counters: RequestCounters,
        *,
        pages: Mapping[str, ASGIApp] = {},
        answer: AnswerFunction | None = None,
        is_logged: bool = False,
    ) -> None:
        self._app = app
        self._pages = pages
        self._answer = answer
        self._counters = counters
        self._is_logged = is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does, with `X-Request-Id`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0
        context = context_of(scope["headers"])
        name = (b"x-request-id", context.request_id.encode())
        current.set(context)  # and never reset: the server may log an error that is raised here
        try:
            page = self._pages.get(scope["path"])
            if page is None and self._answer is not None:
                answer = await self._answer(scope, receive)
                if answer is not None:
                    status, headers, body = answer
                    await send_response(send, (status, [*headers, name], body))
            else:
                named = _SendWithId(send, name)
                try:
                    await (page or self._app)(scope, receive, named)
                finally:
                    status = named.status
        except Exception:
            status = status or 500  # as the server answers
            raise
        finally:
            seconds = perf_counter() - began
            labels = self._counters.count(scope["method"], scope["path"], status, seconds)
            if self._is_logged:
                _log_access(*labels, status, seconds)


class _SendWithId:
    """An ASGI `send` that adds `X-Request-Id`, and remembers the status; 0 before the answer."""

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
    fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    access_log.info(
        "%s %s %d in %.1f ms", method, route, status, seconds * 1000, extra={"fields": fields}
    )
