"""The hosts of a site's cart, made of the `ECART` setting when they are first needed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from msgspec import UNSET, UnsetType

from ecart.catalog import Catalog, as_catalog
from ecart.http import HttpSettings
from ecart.integrations.config_keys import KEYS, settings_from
from ecart.integrations.host import AsyncHost, Host
from ecart.operations import Operation
from ecart.store import Store
from ecart.stores.redis import async_store_for, store_for
from ecart.tokens import SignedTokens

_Result = TypeVar("_Result")

Setting: Any = msgspec.defstruct(
    "Setting",
    [
        ("redis_url", str | None, None),
        ("store", Any, None),
        ("async_store", Any, None),
        ("catalog", Any, None),
        *((name.lower(), key.accepts | UnsetType, UNSET) for name, key in KEYS.items()),
    ],
    frozen=True,
    forbid_unknown_fields=True,
    rename="upper",
)
"""The keys of `ECART`; their meaning is in docs/integrations/django.md."""


def host() -> Host:
    """The host for code that blocks, and for a WSGI server. Making it asks no engine.

    Raises:
        ImproperlyConfigured: a key is unknown, a value cannot work, or no store is named.
    """
    return _hosts()[0]


def async_host() -> AsyncHost:
    """The host for asyncio, and for an ASGI server.

    Raises:
        ImproperlyConfigured: as `host`.
    """
    return _hosts()[1]


@cache
def _hosts() -> tuple[Host, AsyncHost]:
    try:
        return _make_hosts(msgspec.convert(getattr(django_settings, "ECART", {}), Setting))
    except (ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"ECART: {error}") from error


def _make_hosts(setting: Any) -> tuple[Host, AsyncHost]:
    target = setting.redis_url if setting.store is None else _imported(setting.store)
    if target is None:
        # Memory is never chosen silently.
        raise ValueError("there is no store: set REDIS_URL, or STORE")
    store = store_for(target)
    async_target = target if setting.async_store is None else _imported(setting.async_store)
    given = {name: getattr(setting, name.lower()) for name in KEYS}
    given = {name: value for name, value in given.items() if value is not UNSET}
    settings = settings_from(given, accept_unknown_skus=setting.catalog is None)
    catalog = as_catalog(_catalog_source(setting.catalog), settings.rules.currency)
    tokens = _tokens(settings)
    return (
        Host(store, tokens=tokens, catalog=catalog, settings=settings),
        AsyncHost(
            _ThreadStore(store) if async_target is store else async_store_for(async_target),
            tokens=tokens,
            catalog=catalog if getattr(catalog, "in_memory", False) else _ThreadCatalog(catalog),
            settings=settings,
        ),
    )


def _tokens(settings: HttpSettings) -> SignedTokens:
    secrets = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    return SignedTokens([s if isinstance(s, str) else s.hex() for s in secrets], settings)


def _imported(value: Any) -> Any:
    """The object of a dotted path, or an instance of its class; any other value as it is."""
    if not isinstance(value, str) or "://" in value:
        return value
    found = import_string(value)
    return found() if isinstance(found, type) else found


def _catalog_source(value: Any) -> Any:
    is_file = isinstance(value, str) and value.lower().endswith((".csv", ".json"))
    return value if is_file else _imported(value)


class _ThreadStore:
    """A sync store for asyncio, which runs in a thread, where no asyncio store is given."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As `Store.execute`."""
        return await asyncio.to_thread(self._store.execute, cart_id, operation)


class _ThreadCatalog:
    """A catalog for asyncio, looked up in the thread whose database connections Django manages."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def lookup(self, skus: Sequence[str], /) -> Any:
        """As `Catalog.lookup`."""
        found = await sync_to_async(lambda: self._catalog.lookup(skus))()
        return await found if inspect.isawaitable(found) else found


def clear_hosts(*, setting: str, **_: Any) -> None:
    """Discards the hosts when a test changes a setting that they are made of."""
    if setting in ("ECART", "SECRET_KEY", "SECRET_KEY_FALLBACKS"):
        _hosts.cache_clear()


setting_changed.connect(clear_hosts, dispatch_uid="ecart")
