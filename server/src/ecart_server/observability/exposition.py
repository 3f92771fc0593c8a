"""`GET /metrics`: the numbers of all workers, for Prometheus.

It is shown to this machine alone, and to nobody that a proxy sends, unless keys are configured;
then to all who bring one. Where it is not shown, it does not exist.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from starlette.types import ASGIApp, Receive, Scope, Send

from ecart.http import Request, Response, session_of
from ecart.http.guards import check_key
from ecart.http.problems import HttpError, problem_response
from ecart.integrations.asgi_messages import headers_of, send_response
from ecart_server.observability.series import Layout
from ecart_server.observability.workers import PID, Workers, total

PATH = "/metrics"

Source = Callable[[], Awaitable[Iterable[Metric]]]
"""Something to ask when the metrics are read: gauges of the engine, of the carts."""

_OF_PROXIES = (
    *("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
    "x-real-ip",
)


class MetricsPage:
    """An app that answers `/metrics`; to whom it is not shown, another app answers."""

    def __init__(
        self,
        app: ASGIApp,
        layout: Layout,
        workers: Workers,
        sources: Sequence[Source],
        *,
        keys: tuple[str, ...],
        is_open: bool,
    ) -> None:
        self._app = app
        self._layout = layout
        self._workers = workers
        self._sources = sources
        self._keys = keys
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers who may read it."""
        headers = headers_of(scope)
        if not self._keys and not (self._is_open and is_from_here(headers)):
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope["method"], headers)
            response = await self._shown(headers.get("accept", ""))
        except HttpError as error:
            response = problem_response(error)
        body = b"" if scope["method"] == "HEAD" else response.body
        sent = {**_EVERY_ANSWER, **response.headers, "Content-Length": str(len(response.body))}
        raw = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
        await send_response(send, (response.status, raw, body))

    def _check(self, method: str, headers: Mapping[str, str]) -> None:
        if method not in ("GET", "HEAD"):
            raise HttpError(
                "method_not_allowed", "this is only read", headers={"Allow": "GET, HEAD"}
            )
        if self._keys:
            request = Request(method=method, path=PATH, headers=headers, session=session_of(None))
            check_key(request, self._keys)

    async def _shown(self, accept: str) -> Response:
        asked = [metric for source in self._sources for metric in await source()]
        numbers = list(self._workers.all())
        counted = self._layout.shown(total(numbers))
        encode, media = choose_encoder(accept)
        body = encode(Collected([*counted, *asked, *_processes(numbers)]))
        return Response(status=200, headers={"Content-Type": media}, body=body)


_EVERY_ANSWER = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Collected:
    """What an encoder takes for a registry."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """All of them."""
        return self._families


def is_from_here(headers: Mapping[str, str]) -> bool:
    """Whether a request to loopback was meant for loopback, and came through no proxy."""
    host = headers.get("host", "").rpartition("@")[2]
    name = host[1:].partition("]")[0] if host[:1] == "[" else host.partition(":")[0]
    return not any(name in headers for name in _OF_PROXIES) and _is_loopback(name)


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _processes(numbers: Sequence[Sequence[float]]) -> Iterator[Metric]:
    """What the system says of each worker's process (on Linux), by the worker's number."""
    families: dict[str, Metric] = {}
    for worker, cells in enumerate(numbers):
        collector = ProcessCollector(pid=partial(int, cells[PID]), registry=None)
        for found in collector.collect():
            family = families.setdefault(
                found.name, Metric(found.name, found.documentation, found.type)
            )
            for sample in found.samples:
                family.add_sample(sample.name, {"worker": str(worker)}, sample.value)
    yield from families.values()
