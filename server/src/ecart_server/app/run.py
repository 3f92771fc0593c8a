"""Runs the service: finds or starts the engine, then serves until a signal stops it."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

import uvicorn
from msgspec.structs import replace

from ecart_server.app.address import check_address, is_loopback
from ecart_server.app.deployment_check import deployment_guard
from ecart_server.app.location import engine_url
from ecart_server.app.protocol import service_protocol
from ecart_server.observability.logs import configure_logs
from ecart_server.observability.workers import folder_of_workers
from ecart_server.settings import ProcessSettings, ServiceSettings, hand_to_workers

GRACE_SECONDS = 8
"""How long running requests may take after SIGTERM; the process is gone within ten seconds."""


def serve(settings: ServiceSettings, process: ProcessSettings) -> None:
    """Serves until SIGINT or SIGTERM, finishes running requests, and closes the embedded engine.

    Raises:
        ConfigurationError, EngineError: it cannot start; the message says what to do.
    """
    configure_logs(settings.logs.format, settings.logs.level)
    check_address(process.host, process.port)
    store = settings.store
    with (
        engine_url(store.url, process.data_dir, process.engine, process.fsync) as (url, described),
        contextlib.suppress(KeyboardInterrupt),
        deployment_guard(url, store.keys),
        folder_of_workers() as metrics_folder,
    ):
        host = process.host
        shown = "localhost" if host == "127.0.0.1" else f"[{host}]" if ":" in host else host
        print(f"ecart on http://{shown}:{process.port}  {described}", flush=True)
        settings = replace(
            settings,
            store=replace(store, url=url, is_embedded=not store.url),
            metrics=replace(settings.metrics, folder=metrics_folder, is_open=is_loopback(host)),
            parent_pid=os.getpid(),
        )
        hand_to_workers(settings)
        _serve_until_stopped(process)


def _serve_until_stopped(process: ProcessSettings) -> None:
    # uvicorn raises the signal again when it has finished; the engine is still to be closed then.
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        uvicorn.run(
            "ecart_server.app.application:create_app",
            factory=True,
            host=process.host,
            port=process.port,
            workers=process.workers,
            proxy_headers=False,  # `ForwardedHeaders` reads them
            http=service_protocol(),
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
