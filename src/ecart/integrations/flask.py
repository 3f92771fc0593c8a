"""The cart in a Flask app: `ECart(app)`, and `cart_from(request)` in your own views.

The session is Flask's: it holds the cart id under `ecart_cart_id`, and nothing else of the cart.
"""

from __future__ import annotations

from typing import Any

import flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from ecart.cart import Cart
from ecart.catalog import Catalog, as_catalog
from ecart.http import Api, HttpSettings, Request, Response, is_told_too_long, session_of
from ecart.integrations.drivers import answer
from ecart.operations import QUARTER_HOUR, WEEK, Rules, ttl_milliseconds
from ecart.store import Store
from ecart.stores.redis import Client, store_for
from ecart.tokens import SignedTokens

SESSION_KEY = "ecart_cart_id"


class ECart:
    """The cart of a Flask app, as an extension.

    `store` is a store, a Redis client or a URL; without one, `app.config["ECART_REDIS_URL"]` is.
    `catalog` is a catalog, a function or a file's path; without one, `ECART_CATALOG`, else the
    sample. `ECART_TTL`, `ECART_CURRENCY`, `ECART_ACCEPT_UNKNOWN_SKUS`, `ECART_TRUSTED_ORIGINS`,
    `ECART_HOLD` and `ECART_KEEP_ADDITIONS` are read too, and `ECART_OFFICE_KEYS`, without which
    there is no back office below `/carts`. One object serves several apps.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        *,
        store: Store | Client | str | None = None,
        catalog: Any = None,
    ) -> None:
        self._store = store
        self._catalog = catalog
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Adds the routes below `/cart`, and with keys those below `/carts`.

        Raises:
            ValueError: a setting that cannot work, such as a key that can be guessed.
            RuntimeError: no store is given or configured. It is never memory by silence.
        """
        store = self._store or app.config.get("ECART_REDIS_URL")
        if store is None:
            raise RuntimeError('set app.config["ECART_REDIS_URL"], or pass store=')
        catalog = self._catalog or app.config.get("ECART_CATALOG")
        settings = _settings(app.config, has_own_catalog=catalog is not None)
        catalog = as_catalog(catalog, settings.rules.currency)
        app.extensions["ecart"] = _Installed(store_for(store), catalog, settings)
        app.view_functions["ecart"] = _view
        app.url_map.converters["ecart_rest"] = _Rest
        rules = ["/cart", "/cart/<ecart_rest:rest>"]
        if settings.office_keys:
            rules.append("/carts/<ecart_rest:rest>")
        for rule in rules:
            # Not by add_url_rule: it wants methods named, and the refusal of any is ours.
            app.url_map.add(app.url_rule_class(rule, endpoint="ecart", merge_slashes=False))


class _Rest(BaseConverter):
    """All that follows in a path, also nothing, slashes and line ends."""

    regex = r"[\s\S]*"
    part_isolating = False


class _Installed:
    """What one app's views need."""

    def __init__(self, store: Store, catalog: Catalog, settings: HttpSettings) -> None:
        self.store = store
        self.catalog = catalog
        self.settings = settings


def cart_from(request: flask.Request) -> Cart:
    """The cart of the session of this request; a session without one gets one."""
    installed: _Installed = flask.current_app.extensions["ecart"]
    session = session_of(_kept_cart_id())
    if session.is_new:
        flask.session[SESSION_KEY] = session.cart_id
    return Cart(session.cart_id, installed.store, rules=installed.settings.rules)


def _view(rest: str = "") -> flask.Response:
    installed: _Installed = flask.current_app.extensions["ecart"]
    api = Api(installed.settings, _tokens(flask.current_app))
    request = _request(installed.settings.body_limit)
    response = answer(api, installed.store, installed.catalog, request)
    if response.keep_session:
        flask.session[SESSION_KEY] = response.keep_session.cart_id
    return _response(response)


def _request(body_limit: int) -> Request:
    request = flask.request
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        told = is_told_too_long(headers, body_limit)
        body = b"" if told else request.stream.read(body_limit + 1)
    except RequestEntityTooLarge:  # the app's own, lower limit
        body = bytes(body_limit + 1)
    return Request(
        method=request.method,
        path=request.path,
        headers=headers,
        body=body,
        session=session_of(_kept_cart_id()),
    )


def _response(response: Response) -> flask.Response:
    answer = flask.Response(response.body, response.status)
    answer.headers.clear()
    for name, value in response.headers.items():
        answer.headers[name] = value
    return answer


def _kept_cart_id() -> str | None:
    kept = flask.session.get(SESSION_KEY)
    return kept if isinstance(kept, str) else None


def _tokens(app: flask.Flask) -> SignedTokens:
    if not app.secret_key:
        raise RuntimeError("the cart is kept by session: set app.secret_key")
    secrets = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    return SignedTokens([s if isinstance(s, str) else s.hex() for s in secrets])


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
    )
