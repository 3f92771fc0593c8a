"""The service as an ASGI app: the contract at `/`, for one worker process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from ecart.catalog import as_catalog
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.stores.redis import AsyncRedisStore
from ecart_server.admin import Admin, is_of_admin
from ecart_server.app.protocol import ON_LAST_CALL
from ecart_server.app.sweeper import Sweeper
from ecart_server.observability import Observability
from ecart_server.observability.logs import configure_logs
from ecart_server.rate_limits import RateGate
from ecart_server.settings import ServiceSettings, inherited_settings
from ecart_server.shop.dispatch import ROUTES, site
from ecart_server.shop.subscriptions import Following, TellingStore

_LOOK_EVERY = 0.5

COLLECT_AFTER = 50_000
"""New objects, less those freed, after which the youngest are looked through; Python has 700."""


class Service(Starlette):
    """An app of one endpoint, whose every path it is: no router need look for it."""

    def __init__(
        self, endpoint: ASGIApp, lifespan: Lifespan[Starlette], admin: ASGIApp | None = None
    ) -> None:
        super().__init__(lifespan=lifespan)
        self._endpoint = endpoint
        self._admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; the rest (start, end, WebSockets) is Starlette's."""
        if self._admin is not None and is_of_admin(scope):
            await self._admin(scope, receive, send)
        elif scope["type"] == "http":
            await self._endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: ServiceSettings | None = None) -> Service:
    """The app; without settings, those that `ecart serve` handed to its workers."""
    if settings is None:
        settings = inherited_settings()
        configure_logs(settings.logs.format, settings.logs.level)
        collect_rarely()
    observed = Observability(settings, pages=ROUTES)
    where, rules = settings.store, settings.http.rules
    store = AsyncRedisStore(
        where.url,
        prefix=where.prefix,
        partitions=where.partitions,
        durability=where.durability,
        replicas=where.replicas,
        observer=observed.attempts,
    )
    endpoint = CartEndpoint(
        observed.watched(store),
        secret=settings.secrets,
        catalog=as_catalog(settings.catalog, rules.currency),
        settings=settings.http,
        standalone=True,
        gate=None if settings.limits is None else RateGate(settings.limits),
    )
    following = Following(store, rules)
    endpoint.store = TellingStore(endpoint.store, following)
    admin = Admin(settings, store, rules) if settings.admin.key else None
    sweeper = Sweeper(where.url, where.keys, settings.sweep_every)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        watch = asyncio.create_task(_leave_with(settings.parent_pid))
        sweeper.start()
        async with observed.running(store):
            yield {ON_LAST_CALL: following.end}
            sweeper.end()
            if admin is not None:
                admin.end()
        following.end()
        watch.cancel()
        await store.close()

    pages = site(endpoint, settings.secrets, following)
    return Service(observed.around(endpoint, pages, endpoint.answer), lifespan, admin)


def collect_rarely() -> None:
    """Has the garbage collector look seldom, and never at what was loaded at the start.

    Requests leave few cycles behind, and looking for them every few requests took more of a
    worker's time than any other one thing (decision 33). For a process of the service's own.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


async def _leave_with(parent_pid: int) -> None:
    """Ends this worker when the process that started it was killed: it would keep the port."""
    if parent_pid in (0, os.getpid()):
        return
    while os.getppid() == parent_pid:  # noqa: ASYNC110 (the kernel sends no event)
        await asyncio.sleep(_LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
