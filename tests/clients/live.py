"""Deployments behind real servers on loopback, for what only a real wire and real threads show."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from clients.asgi import AsgiShop
from engines import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.shop import Shop


@contextlib.contextmanager
def served(shop: Shop) -> Iterator[str]:
    """The address of a shop that is served by threads (WSGI) or an event loop (ASGI) of its own."""
    # An ASGI app lives once, so that a server gets one of its own.
    is_asgi = isinstance(shop, AsgiShop)
    serving = in_thread(shop.another()) if is_asgi else _wsgi_served(shop.app)  # type: ignore[attr-defined]
    with serving as address:
        yield address


@contextlib.contextmanager
def in_thread(app: object, **options: Any) -> Iterator[str]:
    """The address of an ASGI app on uvicorn in a thread; options are those of its `Config`."""
    import uvicorn

    defaults: dict[str, Any] = {"log_level": "warning", "server_header": False, "lifespan": "on"}
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, **(defaults | options)))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "uvicorn did not start"
            time.sleep(0.005)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def _wsgi_served(app: object) -> Iterator[str]:
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, app, threaded=True)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
