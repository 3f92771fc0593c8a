"""What the `ECART` setting says, read when it is first needed and kept for the process."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ecart.catalog import Catalog, as_catalog
from ecart.http import Api, HttpSettings
from ecart.model import MergePolicy
from ecart.operations import QUARTER_HOUR, WEEK, Operation, Rules, ttl_milliseconds
from ecart.store import AsyncStore, Store
from ecart.stores.redis import async_store_for, store_for
from ecart.tokens import SignedTokens

_Result = TypeVar("_Result")


class Setting(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="upper"
):
    """The keys of `ECART`; their meaning is in docs/integrations/django.md."""

    redis_url: str | None = None
    store: Any = None
    async_store: Any = None
    catalog: Any = None
    ttl: int | timedelta | None = WEEK
    currency: str = "USD"
    accept_unknown_skus: bool | None = None
    trusted_origins: tuple[str, ...] = ()
    hold: int = QUARTER_HOUR
    keep_additions: bool = False
    merge_policy: MergePolicy = "sum"
    office_keys: tuple[str, ...] | str = ()
    first_ttl: int | None = None


class Installed(msgspec.Struct, frozen=True):
    """What the views of the site need, on a WSGI server and on an ASGI server."""

    api: Api
    store: Store
    async_store: AsyncStore
    catalog: Catalog
    async_catalog: Catalog

    @property
    def settings(self) -> HttpSettings:
        """The part of the setting that the contract knows."""
        return self.api.settings


@cache
def installed() -> Installed:
    """The setting, made into what it names. No engine is asked.

    Raises:
        ImproperlyConfigured: a key is unknown, a value cannot work, or no store is named.
    """
    try:
        setting = msgspec.convert(getattr(django_settings, "ECART", {}), Setting)
        return _install(setting)
    except (ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"ECART: {error}") from error


def _install(setting: Setting) -> Installed:
    target = setting.redis_url if setting.store is None else _named(setting.store)
    if target is None:
        # It is never memory by silence.
        raise ValueError("say where the carts are: REDIS_URL, or STORE")
    store = store_for(target)
    async_target = target if setting.async_store is None else _named(setting.async_store)
    catalog = as_catalog(_catalog_source(setting.catalog), setting.currency)
    return Installed(
        api=Api(_http_settings(setting), _tokens()),
        store=store,
        async_store=_InThread(store) if async_target is store else async_store_for(async_target),
        catalog=catalog,
        async_catalog=catalog if getattr(catalog, "in_memory", False) else _Looked(catalog),
    )


def _http_settings(setting: Setting) -> HttpSettings:
    accepts = setting.accept_unknown_skus
    return HttpSettings(
        rules=Rules(ttl_ms=ttl_milliseconds(setting.ttl), currency=setting.currency),
        accept_unknown_skus=setting.catalog is None if accepts is None else accepts,
        trusted_origins=frozenset(setting.trusted_origins),
        office_keys=tuple(setting.office_keys),  # of a text its letters, which are refused
        hold_seconds=setting.hold,
        keep_additions=setting.keep_additions,
        merge_policy=setting.merge_policy,
        first_ttl_seconds=setting.first_ttl,
    )


def _tokens() -> SignedTokens:
    secrets = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    return SignedTokens([s if isinstance(s, str) else s.hex() for s in secrets])


def _named(value: Any) -> Any:
    """What a dotted path names, one of its kind if it is a class; anything else is itself."""
    if not isinstance(value, str) or "://" in value:
        return value
    found = import_string(value)
    return found() if isinstance(found, type) else found


def _catalog_source(value: Any) -> Any:
    is_file = isinstance(value, str) and value.endswith((".csv", ".json"))
    return value if is_file else _named(value)


class _InThread:
    """A sync store for asyncio, where no asyncio store is named."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As `Store.execute`."""
        return await asyncio.to_thread(self._store.execute, cart_id, operation)


class _Looked:
    """A catalog for asyncio, asked in the thread whose database connections Django looks after."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def lookup(self, skus: Sequence[str], /) -> Any:
        """As `Catalog.lookup`."""
        found = await sync_to_async(lambda: self._catalog.lookup(skus))()
        return await found if inspect.isawaitable(found) else found


def forget(*, setting: str, **_: Any) -> None:
    """Has the settings read again: tests change them."""
    if setting in ("ECART", "SECRET_KEY", "SECRET_KEY_FALLBACKS"):
        installed.cache_clear()


setting_changed.connect(forget, dispatch_uid="ecart")
