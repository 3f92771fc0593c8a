"""Metrics, logs, traces and counts per minute of the service. None of them holds personal data.

They are taken by wrappers: `ObservedStore` around the store, `ObservedApp` around the ASGI app. The
API and the store know nothing of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from starlette.types import ASGIApp

from ecart.store import AsyncStore
from ecart.stores.redis import AsyncRedisStore
from ecart_server.observability.engines import EngineGauges
from ecart_server.observability.exposition import METRICS_PATH, GaugeSource, MetricsPage
from ecart_server.observability.loop import LOOP_FAMILIES, watch_loop
from ecart_server.observability.minute_writer import MinuteWriter
from ecart_server.observability.operations import (
    OPERATION_FAMILIES,
    AttemptCounters,
    ObservedStore,
    OperationCounters,
)
from ecart_server.observability.requests import (
    API_ROUTES,
    AnswerFunction,
    ObservedApp,
    RequestCounters,
    RouteKey,
    RouteTable,
    request_families,
)
from ecart_server.observability.series import CellLayout
from ecart_server.observability.traces import TracedApp, TracedStore, find_tracer
from ecart_server.observability.workers import WorkerCells
from ecart_server.settings import ServiceSettings

__all__ = ["GaugeSource", "Observability", "RouteKey"]


class Observability:
    """Observes one worker. `pages` are the routes that it serves besides those of the API.

    `sources` may be extended: each is asked when the metrics are read. `attempts` is to be the
    `observer` of the store that `observe_store` takes.
    """

    def __init__(self, settings: ServiceSettings, pages: Iterable[RouteKey] = ()) -> None:
        self._settings = settings
        self._routes = RouteTable([*API_ROUTES, *pages, ("GET", METRICS_PATH)])
        families = [*request_families(self._routes), *OPERATION_FAMILIES, *LOOP_FAMILIES]
        self._layout = CellLayout(families, reserved=1)
        self._workers = WorkerCells(self._layout.size, settings.metrics.folder)
        self._operations = OperationCounters(self._layout, self._workers.own)
        self._minutes = MinuteWriter(self._operations.counts)
        self._engine = EngineGauges(settings.store.url)
        self._tracer = find_tracer()
        self.attempts = AttemptCounters(self._layout, self._workers.own)
        self.sources: list[GaugeSource] = [self._engine]

    def observe_store(self, store: AsyncStore) -> AsyncStore:
        """The store, with its operations counted and traced."""
        traced = TracedStore(store, self._tracer) if self._tracer else store
        return ObservedStore(traced, self._operations)

    def observe_app(
        self, app: ASGIApp, pages: Mapping[str, ASGIApp] = {}, answer: AnswerFunction | None = None
    ) -> ASGIApp:
        """The app with its `pages` and `/metrics`, with requests counted, named and traced.

        `pages` and `answer` are as `ObservedApp` takes them.
        """
        if self._tracer is not None:  # a span lasts as long as the app runs, so `answer` is no use
            app, answer = TracedApp(app, self._tracer, self._routes), None
            pages = {at: TracedApp(page, self._tracer, self._routes) for at, page in pages.items()}
        metrics = MetricsPage(
            app,
            self._layout,
            self._workers,
            self.sources,
            keys=self._settings.metrics.keys,
            is_open=self._settings.metrics.is_open,
        )
        return ObservedApp(
            app,
            RequestCounters(self._layout, self._workers.own, self._routes),
            pages={**pages, METRICS_PATH: metrics},
            answer=answer,
            is_logged=self._settings.logs.access,
        )

    @contextlib.asynccontextmanager
    async def running(self, store: AsyncRedisStore) -> AsyncIterator[None]:
        """Measures the event loop and writes the counts per minute, until the worker ends."""
        tasks = [
            asyncio.create_task(watch_loop(self._layout, self._workers.own)),
            asyncio.create_task(self._minutes.write_always(store)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._engine.close()
