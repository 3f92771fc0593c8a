"""OpenTelemetry spans of requests and operations, if the process has a tracer provider.

Only the API package is used, and only if it has been imported already: by
`opentelemetry-instrument`, or by code around `create_app`. Names and attributes follow the semantic
conventions for HTTP servers and database clients, without personal data: no path, address or id.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecart.errors import RefusedError
from ecart.integrations.asgi_messages import headers_of
from ecart.operations import Operation
from ecart.store import AsyncStore
from ecart_server.observability.context import current
from ecart_server.observability.requests import METHODS, RouteTable
from ecart_server.observability.series import OTHER

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_Result = TypeVar("_Result")


def find_tracer() -> Tracer | None:
    """The tracer of the provider that is set; None if none is, or OpenTelemetry is not imported."""
    if "opentelemetry" not in sys.modules and "OTEL_PYTHON_TRACER_PROVIDER" not in os.environ:
        return None
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    return provider.get_tracer("ecart")


class TracedApp:
    """ASGI middleware that makes each request a server span, in the trace of its headers."""

    def __init__(self, app: ASGIApp, tracer: Tracer, routes: RouteTable) -> None:
        self._app = app
        self._tracer = tracer
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._span(scope) as span:

            async def send_observed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _set_status(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, send_observed)
            except BaseException as error:
                _set_error(span, type(error).__name__)
                raise

    @contextlib.contextmanager
    def _span(self, scope: Scope) -> Iterator[Span]:
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, format_trace_id

        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        route = self._routes.template(scope["method"], scope["path"])
        attributes = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        if route != OTHER:
            attributes["http.route"] = route
        with self._tracer.start_as_current_span(
            _span_name(method, route),
            context=extract(headers_of(scope)),
            kind=SpanKind.SERVER,
            attributes=attributes,
            **_WITHOUT_MESSAGE,
        ) as span:
            context, trace = current.get(), span.get_span_context()
            if context is not None and trace.is_valid:
                context.trace_id = format_trace_id(trace.trace_id)
            yield span


class TracedStore:
    """An `AsyncStore` that makes each operation of another one a client span."""

    def __init__(self, store: AsyncStore, tracer: Tracer) -> None:
        self._store = store
        self._tracer = tracer

    async def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As the store behind it."""
        from opentelemetry.trace import SpanKind

        name = type(operation).__name__
        attributes = {"db.system.name": "redis", "db.operation.name": name}
        with self._tracer.start_as_current_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, **_WITHOUT_MESSAGE
        ) as span:
            try:
                return await self._store.execute(cart_id, operation)
            except RefusedError as error:  # a refusal is no failure of the engine
                span.set_attribute("ecart.refused", error.code)
                raise
            except BaseException as error:
                _set_error(span, getattr(error, "code", type(error).__name__))
                raise


_WITHOUT_MESSAGE: Any = {"record_exception": False, "set_status_on_exception": False}
"""The message of an error may name a cart, so a span has only its code."""


def _span_name(method: str, route: str) -> str:
    verb = "HTTP" if method == "_OTHER" else method
    return verb if route == OTHER else f"{verb} {route}"


def _set_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        _set_error(span, str(status))


def _set_error(span: Span, kind: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
