"""`ECart`, the extension: one object for any number of apps."""

from __future__ import annotations

from typing import Any

import flask

from ecart.integrations.flask.commands import commands
from ecart.integrations.flask.routes import add_routes
from ecart.integrations.flask.state import install
from ecart.integrations.flask.visitors import current_cart
from ecart.store import Store
from ecart.stores.redis import Client


class ECart:
    """The cart of a Flask app, as an extension.

    `store` is a store, a Redis client or a URL; without one, `app.config["ECART_REDIS_URL"]`.
    `catalog` is a catalog, a function, a file's path or a database's URL; without one,
    `ECART_CATALOG`, else the sample. The other `ECART_` keys are in docs/integrations/flask.md.
    With `register_blueprint=False` the routes are not added: register `blueprint()` where you
    want them.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        *,
        store: Store | Client | str | None = None,
        catalog: Any = None,
        register_blueprint: bool = True,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._registers = register_blueprint
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Adds the routes, `current_cart` in templates, and the commands `flask ecart`.

        Raises:
            ValueError: a setting that cannot work, such as a key that can be guessed.
            RuntimeError: no store is given or configured; memory is never chosen silently.
        """
        install(app, self._store, self._catalog)
        app.context_processor(lambda: {"current_cart": current_cart})
        app.cli.add_command(commands)
        if self._registers:
            app.register_blueprint(self.blueprint())

    def blueprint(self, url_prefix: str | None = None) -> flask.Blueprint:
        """The routes below `/cart`, and with `ECART_OFFICE_KEYS` those below `/carts`.

        Register it after `init_app`, in the app or in a blueprint of the app's own.
        """
        made = flask.Blueprint("ecart", __name__, url_prefix=url_prefix)
        made.record(add_routes)
        return made
