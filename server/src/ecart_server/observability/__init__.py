"""What operators see of the service: metrics, logs, traces, counts per minute. Of nobody in person.

Each part is told of operations by `ObservedStore` and of requests by `ObservedApp`; the contract
and the store know of none of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from starlette.types import ASGIApp

from ecart.store import AsyncStore
from ecart.stores.redis import AsyncRedisStore
from ecart_server.observability import loop, operations, requests
from ecart_server.observability.engines import EngineGauges
from ecart_server.observability.exposition import PATH, MetricsPage, Source
from ecart_server.observability.minute_writer import MinuteWriter
from ecart_server.observability.operations import (
    AttemptCounters,
    ObservedStore,
    OperationCounters,
)
from ecart_server.observability.requests import (
    CONTRACT,
    Answering,
    ObservedApp,
    RequestNumbers,
    Route,
    RouteNames,
)
from ecart_server.observability.series import Layout
from ecart_server.observability.traces import TracedApp, TracedStore, find_tracer
from ecart_server.observability.workers import Workers
from ecart_server.settings import ServiceSettings

__all__ = ["Observability", "Route", "Source"]


class Observability:
    """Watches one worker. `pages` are the routes that it serves beside the contract's.

    More `sources` of gauges may be added: each is asked when the metrics are read.

    `attempts` is the `observer` of the store that `watched` takes.
    """

    def __init__(self, settings: ServiceSettings, pages: Iterable[Route] = ()) -> None:
        self._settings = settings
        self._names = RouteNames([*CONTRACT, *pages, ("GET", PATH)])
        self._layout = Layout(
            [*requests.families(self._names), *operations.FAMILIES, *loop.FAMILIES], reserved=1
        )
        self._workers = Workers(self._layout.size, settings.metrics.folder)
        self._engine = EngineGauges(settings.store.url)
        self._tracer = find_tracer()
        self._operations = OperationCounters(self._layout, self._workers.own)
        self._minutes = MinuteWriter(self._operations.counts)
        self.attempts = AttemptCounters(self._layout, self._workers.own)
        self.sources: list[Source] = [self._engine]

    def watched(self, store: AsyncStore) -> AsyncStore:
        """The store, whose operations are counted and traced."""
        traced = TracedStore(store, self._tracer) if self._tracer else store
        return ObservedStore(traced, self._operations)

    def around(
        self, app: ASGIApp, pages: Mapping[str, ASGIApp] = {}, answer: Answering | None = None
    ) -> ASGIApp:
        """The app, and pages at some paths, whose requests are counted, named and traced.

        `/metrics` is there, too. `answer` is as `ObservedApp` says.
        """
        if self._tracer is not None:  # a span begins and ends around all that an app does
            app, answer = TracedApp(app, self._tracer, self._names), None
            pages = {at: TracedApp(each, self._tracer, self._names) for at, each in pages.items()}
        page = MetricsPage(
            app,
            self._layout,
            self._workers,
            self.sources,
            keys=self._settings.metrics.keys,
            is_open=self._settings.metrics.is_open,
        )
        return ObservedApp(
            app,
            RequestNumbers(self._layout, self._workers.own, self._names),
            pages={**pages, PATH: page},
            answer=answer,
            is_logged=self._settings.logs.access,
        )

    @contextlib.asynccontextmanager
    async def running(self, store: AsyncRedisStore) -> AsyncIterator[None]:
        """Watches the event loop and writes the counts per minute, until the worker ends."""
        tasks = [
            asyncio.create_task(loop.watch_loop(self._layout, self._workers.own)),
            asyncio.create_task(self._minutes.write_always(store)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._engine.close()
