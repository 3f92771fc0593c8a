"""What the cart of one app is made of: its store, its catalog, and the keys of its config."""

from __future__ import annotations

from typing import Any

import flask
import msgspec

from ecart.catalog import Catalog, as_catalog
from ecart.http import HttpSettings
from ecart.operations import QUARTER_HOUR, WEEK, Rules, ttl_milliseconds
from ecart.store import Store
from ecart.stores.redis import Client, store_for


class Installed(msgspec.Struct, frozen=True):
    """What one app's views need."""

    store: Store
    catalog: Catalog
    settings: HttpSettings


def install(app: flask.Flask, store: Store | Client | str | None, catalog: Any) -> None:
    """Reads the config of the app, which what is given beats, and keeps the result with it."""
    store = store or app.config.get("ECART_REDIS_URL")
    if store is None:
        raise RuntimeError('set app.config["ECART_REDIS_URL"], or pass store=')
    catalog = catalog or app.config.get("ECART_CATALOG")
    settings = _settings(app.config, has_own_catalog=catalog is not None)
    catalog = as_catalog(catalog, settings.rules.currency)
    app.extensions["ecart"] = Installed(store_for(store), catalog, settings)


def installed_in(app: flask.Flask) -> Installed:
    """What `install` kept.

    Raises:
        RuntimeError: nothing; the extension was never told of this app.
    """
    installed = app.extensions.get("ecart")
    if not isinstance(installed, Installed):
        raise RuntimeError("this app has no cart: call ECart(app), or init_app(app), first")
    return installed


def _settings(config: flask.Config, *, has_own_catalog: bool) -> HttpSettings:
    rules = Rules(
        ttl_ms=ttl_milliseconds(config.get("ECART_TTL", WEEK)),
        currency=config.get("ECART_CURRENCY", "USD"),
    )
    return HttpSettings(
        rules=rules,
        accept_unknown_skus=config.get("ECART_ACCEPT_UNKNOWN_SKUS", not has_own_catalog),
        trusted_origins=frozenset(config.get("ECART_TRUSTED_ORIGINS", ())),
        office_keys=tuple(config.get("ECART_OFFICE_KEYS", ())),
        hold_seconds=config.get("ECART_HOLD", QUARTER_HOUR),
        keep_additions=config.get("ECART_KEEP_ADDITIONS", False),
        merge_policy=config.get("ECART_MERGE_POLICY", "sum"),
        first_ttl_seconds=config.get("ECART_FIRST_TTL"),
    )
