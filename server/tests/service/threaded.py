"""The service in a thread of the tests, so that they can choose its parser and its time-outs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clients.live import in_thread
from ecart_server.app.application import create_app
from ecart_server.settings import ServiceSettings, StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine


@contextlib.contextmanager
def service_in_thread(engine: Engine, protocol: Any, **settings: Any) -> Iterator[int]:
    """The port of a service with this HTTP protocol; settings are those of `ServiceSettings`."""
    known = {"secrets": ("a secret of the tests",), "store": StoreSettings(url=engine.url)}
    app = create_app(ServiceSettings(**(known | settings)))
    with in_thread(app, http=protocol, log_level="critical") as address:
        port = urlsplit(address).port
        assert port is not None
        yield port
