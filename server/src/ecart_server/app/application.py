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
from ecart.http import HttpSettings
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.operations import Rules, ttl_milliseconds
from ecart.stores.redis import AsyncRedisStore
from ecart_server.admin import Admin, is_admin_path
from ecart_server.app.protocol import ON_LAST_CALL
from ecart_server.app.sweeper import Sweeps
from ecart_server.observability import Observability
from ecart_server.observability.logs import configure_logs
from ecart_server.rate_limits import RateGate
from ecart_server.settings import ServiceSettings, handed_settings
from ecart_server.shop.dispatch import ROUTES, shop_apps
from ecart_server.shop.subscriptions import PublishingStore, Subscriptions

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
        if self._admin is not None and is_admin_path(scope):
            await self._admin(scope, receive, send)
        elif scope["type"] == "http":
            await self._endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: ServiceSettings | None = None) -> Service:
    """The app; without settings, those that `ecart serve` handed to its workers."""
    if settings is None:
        settings = handed_settings()
        configure_logs(settings.log_format, settings.log_level)
        collect_rarely()
    observed = Observability(settings, pages=ROUTES)
    store, contract = _store_of(settings, observed), _contract_of(settings)
    endpoint = CartEndpoint(
        observed.observe_store(store),
        secret=settings.secrets,
        catalog=as_catalog(settings.catalog, settings.currency),
        settings=contract,
        standalone=True,
        gate=None if settings.limits is None else RateGate(settings.limits),
    )
    rules = contract.rules
    subscriptions = Subscriptions(store, rules)
    endpoint.store = PublishingStore(endpoint.store, subscriptions)
    admin = Admin(settings, store, rules) if settings.admin_key else None
    sweeps = Sweeps(settings.redis_url, settings.keys, settings.sweep_every)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        watch = asyncio.create_task(_leave_with(settings.parent_pid))
        sweeps.start()
        async with observed.running(store):
            yield {ON_LAST_CALL: subscriptions.close}
            sweeps.end()
            if admin is not None:
                admin.end()
        subscriptions.close()
        watch.cancel()
        await store.close()

    pages = shop_apps(endpoint, settings.secrets, subscriptions)
    return Service(observed.observe_app(endpoint, pages, endpoint.answer), lifespan, admin)


def _store_of(settings: ServiceSettings, observed: Observability) -> AsyncRedisStore:
    return AsyncRedisStore(
        settings.redis_url,
        prefix=settings.prefix,
        partitions=settings.partitions,
        durability=settings.durability,
        replicas=settings.replicas,
        observer=observed.attempts,
    )


def _contract_of(settings: ServiceSettings) -> HttpSettings:
    return HttpSettings(
        rules=Rules(ttl_ms=ttl_milliseconds(settings.ttl_seconds), currency=settings.currency),
        accept_unknown_skus=settings.catalog is None,
        trusted_origins=frozenset(settings.trusted_origins),
        office_keys=settings.office_keys,
        hold_seconds=settings.hold_seconds,
        keep_additions=settings.keep_additions,
        merge_policy=settings.merge_policy,
        first_ttl_seconds=settings.first_ttl_seconds,
    )


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
