"""Spans, where somebody collects them; and nothing where nobody does."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import ecart_server.observability as observability
from ecart.stores.redis.keys import Keyspace
from service.observing import client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from starlette.testclient import TestClient

    from engines import Engine

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[ReadableSpan]]]:
    """The spans that have ended, of services made from now on."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(observability, "find_tracer", lambda: provider.get_tracer("ecart"))
    yield lambda: list(exporter.get_finished_spans())
    provider.shutdown()


@pytest.fixture
def client(engine: Engine, spans: Any) -> Iterator[TestClient]:
    with client_of(engine.url) as running:
        yield running


def test_a_request_is_a_span_with_its_operation(
    client: TestClient, spans: Callable[[], list[ReadableSpan]]
) -> None:
    """In the trace that the client began, with the attributes of the semantic conventions."""
    client.patch(
        "/cart/items/marked-sku",
        json={"quantity": 2},
        headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "User-Agent": "marked"},
    )

    operation, request = spans()
    assert (request.name, request.kind) == ("PATCH /cart/items/{line_id}", SpanKind.SERVER)
    assert dict(request.attributes or {}) == {
        "http.request.method": "PATCH",
        "http.route": "/cart/items/{line_id}",
        "http.response.status_code": 404,
        "url.scheme": "http",
    }
    assert request.context is not None
    assert request.parent is not None
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == PARENT
    assert request.status.status_code is StatusCode.UNSET
    assert (operation.name, operation.kind) == ("SetQuantity", SpanKind.CLIENT)
    assert dict(operation.attributes or {}) == {
        "db.system.name": "redis",
        "db.operation.name": "SetQuantity",
        "ecart.refused": "line_not_found",
    }
    assert operation.parent == request.context
    assert operation.status.status_code is StatusCode.UNSET
    assert "marked" not in f"{request.to_json()}{operation.to_json()}"


def test_a_page_is_a_span_too(client: TestClient, spans: Callable[[], list[ReadableSpan]]) -> None:
    """It answers in front of the contract, and asks it for what it shows."""
    client.get("/")

    operation, request = spans()
    assert (operation.name, request.name) == ("GetCart", "GET /")
    assert operation.parent == request.context
    assert (request.attributes or {})["http.response.status_code"] == 200


@pytest.mark.foreign_data
def test_a_failing_store_is_an_error(
    client: TestClient, engine: Engine, spans: Callable[[], list[ReadableSpan]]
) -> None:
    """In both spans, by its code, and without the words of the exception."""
    key = Keyspace().cart(client.get("/cart").json()["cart_id"])
    with engine.connected() as other:
        other.set(key, "no cart")

    client.get("/cart")

    operation, request = spans()[-2:]
    assert (operation.attributes or {})["error.type"] == "corrupt_cart"
    assert (request.attributes or {})["error.type"] == "500"
    for span in (operation, request):
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description is None
        assert span.events == ()


def test_what_has_no_route_has_a_small_name(
    client: TestClient, spans: Callable[[], list[ReadableSpan]]
) -> None:
    """No path and no method that a stranger wrote."""
    client.request("BREW", "/marked")

    (span,) = spans()
    assert span.name == "HTTP"
    assert (span.attributes or {})["http.request.method"] == "_OTHER"
    assert "http.route" not in (span.attributes or {})


def test_the_log_names_the_trace(
    client: TestClient,
    spans: Callable[[], list[ReadableSpan]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That of the span, where the request brought none."""
    seen = []
    monkeypatch.setattr(
        observability.requests, "context_of", lambda headers: seen.append(made()) or seen[-1]
    )

    client.get("/healthz")

    (span,) = spans()
    assert span.context is not None
    assert seen[0].trace_id == f"{span.context.trace_id:032x}"


def made() -> Any:
    from ecart_server.observability.context import RequestContext

    return RequestContext("r-1")


FOUND = {
    "nobody has imported it": ("", "None"),
    "it is not installed": ("sys.modules['opentelemetry'] = None", "None"),
    "nobody has set a provider": ("import opentelemetry.trace", "None"),
    "a provider is set": (
        "import opentelemetry.trace as t; from opentelemetry.sdk.trace import TracerProvider;"
        "t.set_tracer_provider(TracerProvider())",
        "Tracer",
    ),
}


@pytest.mark.parametrize(("before", "told"), FOUND.values(), ids=list(FOUND))
def test_spans_are_for_who_collects_them(before: str, told: str) -> None:
    """Without a provider there are none, though redis-py imports the API package itself."""
    code = f"""
import sys
{before}
from ecart_server.app.application import create_app
from ecart_server.settings import ServiceSettings, StoreSettings
from ecart_server.observability.traces import find_tracer
create_app(ServiceSettings(secrets=("a secret long enough",), store=StoreSettings(url="unix:///nowhere")))
tracer = find_tracer()
print(tracer and type(tracer).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout.strip() == told, done.stderr
