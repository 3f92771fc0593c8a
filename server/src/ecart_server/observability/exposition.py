"""`GET /metrics`: the counters of all workers, for Prometheus.

Without keys, only requests of this machine that came through no proxy are answered; with keys, all
that bring one. To others the path does not exist: the app behind answers 404.
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
from ecart.http.messages import SECURITY_HEADERS
from ecart.http.problems import HttpError, problem_response
from ecart.integrations.asgi_messages import address_of, headers_of, send_response
from ecart_server.observability.series import CellLayout
from ecart_server.observability.workers import PID, WorkerCells, total
from ecart_server.rate_limits.wrong_keys import WrongKeys

METRICS_PATH = "/metrics"

GaugeSource = Callable[[], Awaitable[Iterable[Metric]]]
"""Gives metrics that are not counted but asked for when `/metrics` is read."""

_PROXY_HEADERS = (
    *("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
    "x-real-ip",
)


class MetricsPage:
    """An ASGI app that answers `/metrics`, and passes requests that may not read it to another."""

    def __init__(
        self,
        app: ASGIApp,
        layout: CellLayout,
        workers: WorkerCells,
        sources: Sequence[GaugeSource],
        *,
        keys: tuple[str, ...],
        is_open: bool,
    ) -> None:
        self._app = app
        self._layout = layout
        self._workers = workers
        self._sources = sources
        self._keys = keys
        self._wrong_keys = WrongKeys()
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request, if it may read the metrics."""
        headers = headers_of(scope)
        if not self._keys and not (self._is_open and is_local_request(headers)):
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope["method"], headers, address_of(scope))
            response = await self._metrics(headers.get("accept", ""))
        except HttpError as error:
            response = problem_response(error)
        body = b"" if scope["method"] == "HEAD" else response.body
        all_headers = {**_HEADERS, **response.headers, "Content-Length": str(len(response.body))}
        raw = [(name.lower().encode(), value.encode()) for name, value in all_headers.items()]
        await send_response(send, (response.status, raw, body))

    def _check(self, method: str, headers: Mapping[str, str], address: str) -> None:
        if method not in ("GET", "HEAD"):
            raise HttpError(
                "method_not_allowed", "this is only read", headers={"Allow": "GET, HEAD"}
            )
        if self._keys:
            request = Request(
                method=method, path=METRICS_PATH, headers=headers, session=session_of(None)
            )
            self._wrong_keys.check(address)
            try:
                check_key(request, self._keys)
            except HttpError:
                self._wrong_keys.record_failure(address)
                raise

    async def _metrics(self, accept: str) -> Response:
        gauges = [metric for source in self._sources for metric in await source()]
        workers = list(self._workers.all())
        counters = self._layout.metrics(total(workers))
        encode, media = choose_encoder(accept)
        body = encode(FixedRegistry([*counters, *gauges, *_process_metrics(workers)]))
        return Response(status=200, headers={"Content-Type": media}, body=body)


_HEADERS = {"Cache-Control": "no-store", **SECURITY_HEADERS}


class FixedRegistry:
    """Metrics in the form of a `prometheus_client` registry, which its encoders take."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """All metrics."""
        return self._families


def is_local_request(headers: Mapping[str, str]) -> bool:
    """Whether the `Host` of a request is this machine's, and no header shows a proxy."""
    host = headers.get("host", "").rpartition("@")[2]
    name = host[1:].partition("]")[0] if host[:1] == "[" else host.partition(":")[0]
    return not any(name in headers for name in _PROXY_HEADERS) and _is_loopback(name)


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _process_metrics(workers: Sequence[Sequence[float]]) -> Iterator[Metric]:
    """CPU, memory and files of each worker's process (on Linux), labelled with its number."""
    families: dict[str, Metric] = {}
    for worker, cells in enumerate(workers):
        collector = ProcessCollector(pid=partial(int, cells[PID]), registry=None)
        for found in collector.collect():
            family = families.setdefault(
                found.name, Metric(found.name, found.documentation, found.type)
            )
            for sample in found.samples:
                family.add_sample(sample.name, {"worker": str(worker)}, sample.value)
    yield from families.values()
