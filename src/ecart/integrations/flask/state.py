"""The host of an app's cart, made of the keys of its config."""

from __future__ import annotations

import difflib
from typing import Any

import flask

from ecart.http import HttpSettings, Session
from ecart.integrations.config_keys import KEYS, settings_from
from ecart.integrations.host import Host
from ecart.store import Store
from ecart.stores.redis import Client, store_for
from ecart.tokens import SignedTokens

CONFIG_KEYS = ("ECART_REDIS_URL", "ECART_CATALOG", *(f"ECART_{key}" for key in KEYS))
"""All keys of an app's config that the cart reads."""


class AppTokens:
    """Tokens that are signed with the app's secret key, and read with its fallbacks, too.

    The key may be set after `init_app`, and keys may be rotated while the app runs: so it is
    looked up each time, and the signer is made again when it has changed.
    """

    def __init__(self, config: flask.Config, settings: HttpSettings) -> None:
        self._config = config
        self._settings = settings
        self._made: tuple[list[str | bytes], SignedTokens] | None = None

    def sign(self, session: Session, /) -> str:
        """As `SignedTokens.sign`."""
        return self._current().sign(session)

    def read(self, token: str, /) -> Session | None:
        """As `SignedTokens.read`."""
        return self._current().read(token)

    def _current(self) -> SignedTokens:
        keys = [self._config["SECRET_KEY"], *(self._config.get("SECRET_KEY_FALLBACKS") or ())]
        made = self._made  # read once: another thread may replace it
        if made is None or made[0] != keys:
            secrets = [key if isinstance(key, str) else key.hex() for key in keys]
            tokens = SignedTokens(secrets, self._settings)
            made = self._made = (keys, tokens)
        return made[1]


def install(app: flask.Flask, store: Store | Client | str | None, catalog: Any) -> None:
    """Makes the host of an app, of its config where nothing is given, and keeps it with the app."""
    given = _given_keys(app.config)
    store = store or given.get("REDIS_URL")
    if store is None:
        raise RuntimeError('set app.config["ECART_REDIS_URL"], or pass store=')
    catalog = catalog or given.get("CATALOG")
    settings = settings_from(given, accept_unknown_skus=catalog is None)
    app.extensions["ecart"] = Host(
        store_for(store),
        tokens=AppTokens(app.config, settings),
        catalog=catalog,
        settings=settings,
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


def _given_keys(config: flask.Config) -> dict[str, Any]:
    """The config's keys of the cart, without their prefix.

    Raises:
        ValueError: a key that is not known, such as one that is misspelt.
    """
    given = {key: value for key, value in config.items() if key.startswith("ECART_")}
    for key in given:
        if key not in CONFIG_KEYS:
            nearest = difflib.get_close_matches(key, CONFIG_KEYS, n=1, cutoff=0)
            raise ValueError(f"{key} is no key of the cart; did you mean {nearest[0]}?")
    return {key.removeprefix("ECART_"): value for key, value in given.items()}
