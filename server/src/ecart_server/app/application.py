"""The service as an ASGI app, for one worker process."""

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
from ecart_server.admin import Admin, is_admin_path
from ecart_server.app.forwarded import ForwardedHeaders
from ecart_server.app.protocol import ON_SHUTDOWN
from ecart_server.app.sweeper import Sweeper
from ecart_server.observability import Observability
from ecart_server.observability.logs import configure_logs
from ecart_server.pages.prefix import PREFIX
from ecart_server.rate_limits import RateGate
from ecart_server.settings import ServiceSettings, inherited_settings
from ecart_server.shop.dispatch import ROUTES, shop_apps
from ecart_server.shop.subscriptions import PublishingStore, Subscriptions

_PARENT_CHECK_SECONDS = 0.5

GC_THRESHOLD = 50_000
"""Allocations, less deallocations, that start a garbage collection; Python's default is 700."""


class Service(Starlette):
    """An app with one endpoint for all paths, called without a router, and the admin view."""

    def __init__(
        self,
        endpoint: ASGIApp,
        lifespan: Lifespan[Starlette],
        forwarded: ForwardedHeaders,
        admin: ASGIApp | None = None,
    ) -> None:
        super().__init__(lifespan=lifespan)
        self._endpoint = endpoint
        self._admin = admin
        self._forwarded = forwarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; lifespan and WebSockets are Starlette's."""
        if scope["type"] == "http":
            scope, prefix = self._forwarded.read(scope)
            if prefix or PREFIX.get():
                PREFIX.set(prefix)
        if self._admin is not None and is_admin_path(scope):
            await self._admin(scope, receive, send)
        elif scope["type"] == "http":
            await self._endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: ServiceSettings | None = None) -> Service:
    """The app; without settings, with those that a worker inherits from `ecart serve`."""
    if settings is None:
        settings = inherited_settings()
        configure_logs(settings.logs.format, settings.logs.level)
        tune_garbage_collector()
    observed = Observability(settings, pages=ROUTES)
    store_settings, rules = settings.store, settings.http.rules
    store = AsyncRedisStore(
        store_settings.url,
        prefix=store_settings.prefix,
        partitions=store_settings.partitions,
        durability=store_settings.durability,
        replicas=store_settings.replicas,
        observer=observed.attempts,
    )
    endpoint = CartEndpoint(
        observed.observe_store(store),
        secret=settings.secrets,
        catalog=as_catalog(settings.catalog, rules.currency),
        settings=settings.http,
        standalone=True,
        gate=None if settings.limits is None else RateGate(settings.limits),
    )
    subscriptions = Subscriptions(store, rules, settings.limits)
    endpoint.host.store = PublishingStore(endpoint.host.store, subscriptions)
    admin = Admin(settings, store, rules) if settings.admin.key else None
    sweeper = Sweeper(store_settings.url, store_settings.keys, settings.sweep_every)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        watch = asyncio.create_task(_exit_with_parent(settings.parent_pid))
        sweeper.start()
        async with observed.running(store):
            yield {ON_SHUTDOWN: subscriptions.close}
            sweeper.end()
            if admin is not None:
                admin.end()
        subscriptions.close()
        watch.cancel()
        await store.close()

    pages = shop_apps(endpoint, settings.secrets, subscriptions)
    forwarded = ForwardedHeaders(settings.proxies.trusted, settings.proxies.root_path)
    app = observed.observe_app(endpoint, pages, endpoint.answer)
    return Service(app, lifespan, forwarded, admin)


def tune_garbage_collector() -> None:
    """Makes garbage collections rare, and exempts everything that was loaded at the start.

    Requests leave few cycles behind, and collecting every few requests took more of a worker's
    time than any other single thing (decision 33). Only for a process that the service owns.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


async def _exit_with_parent(parent_pid: int) -> None:
    """Ends this worker when its parent was killed, for it would keep the port occupied."""
    if parent_pid in (0, os.getpid()):
        return
    while os.getppid() == parent_pid:  # noqa: ASYNC110 (the kernel sends no event)
        await asyncio.sleep(_PARENT_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
