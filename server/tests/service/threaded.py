"""The service in a thread of the tests, so that they can choose its parser and its time-outs."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn

from ecart_server.app.application import create_app
from ecart_server.settings import ServiceSettings, StoreSettings
from engines import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine


@contextlib.contextmanager
def service_in_thread(engine: Engine, protocol: Any, **settings: Any) -> Iterator[int]:
    """The port of a service with this HTTP protocol."""
    store = StoreSettings(url=engine.url)
    app = create_app(ServiceSettings(secrets=("a secret of the tests",), store=store, **settings))
    port = free_port()
    config = uvicorn.Config(app, port=port, http=protocol, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "uvicorn did not start"
            time.sleep(0.005)
        yield port
    finally:
        server.should_exit = True
        thread.join()
