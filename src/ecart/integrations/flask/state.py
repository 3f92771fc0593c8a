"""The host of an app's cart, made of the keys of its config."""

from __future__ import annotations

from typing import Any

import flask

from ecart.http import HttpSettings
from ecart.integrations.host import Host
from ecart.operations import QUARTER_HOUR, WEEK, Rules, ttl_milliseconds
from ecart.store import Store
from ecart.stores.redis import Client, store_for
from ecart.tokens import SignedTokens


class AppTokens:
    """Tokens that are signed with the app's secret key, and read with its fallbacks, too.

    The key may be set after `init_app`, and keys may be rotated while the app runs: so it is
    looked up each time, and the signer is made again when it has changed.
    """

    def __init__(self, config: flask.Config) -> None:
        self._config = config
        self._made: tuple[list[str | bytes], SignedTokens] | None = None

    def sign(self, cart_id: str, /) -> str:
        """As `SignedTokens.sign`."""
        return self._current().sign(cart_id)

    def read(self, token: str, /) -> str | None:
        """As `SignedTokens.read`."""
        return self._current().read(token)

    def _current(self) -> SignedTokens:
        keys = [self._config["SECRET_KEY"], *(self._config.get("SECRET_KEY_FALLBACKS") or ())]
        made = self._made  # read once: another thread may replace it
        if made is None or made[0] != keys:
            tokens = SignedTokens([key if isinstance(key, str) else key.hex() for key in keys])
            made = self._made = (keys, tokens)
        return made[1]


def install(app: flask.Flask, store: Store | Client | str | None, catalog: Any) -> None:
    """Makes the host of an app, of its config where nothing is given, and keeps it with the app."""
    store = store or app.config.get("ECART_REDIS_URL")
    if store is None:
        raise RuntimeError('set app.config["ECART_REDIS_URL"], or pass store=')
    catalog = catalog or app.config.get("ECART_CATALOG")
    settings = _settings(app.config, has_own_catalog=catalog is not None)
    app.extensions["ecart"] = Host(
        store_for(store), tokens=AppTokens(app.config), catalog=catalog, settings=settings
    )


def host_of(app: flask.Flask) -> Host:
    """The host that `install` made.

    Raises:
        RuntimeError: the extension was not set up for this app.
    """
    host = app.extensions.get("ecart")
    if not isinstance(host, Host):
        raise RuntimeError("this app has no cart: call ECart(app), or init_app(app), first")
    return host


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
