"""Runs the service: finds or starts the engine, then serves until told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import msgspec
import uvicorn

from ecart.model import MergePolicy
from ecart.operations import QUARTER_HOUR
from ecart.stores.redis.durability import Mode
from ecart.stores.redis.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keyspace
from ecart_server.app.deployment_check import settled_deployment
from ecart_server.app.protocol import BoundedProtocol
from ecart_server.engine import open_engine
from ecart_server.observability.logs import configure_logs
from ecart_server.observability.workers import folder_of_workers
from ecart_server.rate_limits import Limits
from ecart_server.settings import (
    LogFormat,
    LogLevel,
    ServiceSettings,
    check_address,
    check_admin_key,
    find_keys,
    find_secrets,
    hand_to_workers,
    is_loopback,
)

GRACE_SECONDS = 8
"""How long running requests may take after SIGTERM; the process is gone within ten seconds."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line and the environment say."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    redis_url: str | None = None
    data_dir: Path
    catalog: str | None = None
    engine: str = "auto"
    fsync: Literal["always", "everysec"] = "always"
    secret: str | None = None
    currency: str = "USD"
    ttl: int | None = 604_800
    trusted_origins: tuple[str, ...] = ()
    office_keys: str | None = None
    hold: int = QUARTER_HOUR
    keep_additions: bool = False
    merge_policy: MergePolicy = "sum"
    first_ttl: int = 3600
    durability: Mode = "primary"
    replicas: int | None = None
    admin_key: str | None = None
    admin_write: bool = False
    sweep_every: int = 3600
    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS
    limits: Limits | None = None
    trusted_proxies: str | None = None
    metrics_keys: str | None = None
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"
    access_log: bool = False

    @property
    def keys(self) -> Keyspace:
        """Where the carts are in the engine."""
        return Keyspace(self.prefix, self.partitions)


def serve(options: Options) -> None:
    """Serves until SIGINT or SIGTERM; then finishes what runs and stops the engine if it is ours.

    Raises:
        ConfigurationError, EngineError: it cannot begin; the message says what to do.
    """
    configure_logs(options.log_format, options.log_level)
    keys = _keys_of(options)
    check_address(options.host, options.port)
    with (
        engine_url(options) as (url, described),
        contextlib.suppress(KeyboardInterrupt),
        settled_deployment(url, options.keys),
        folder_of_workers() as metrics_folder,
    ):
        settings = _settings_of(options, keys, url, metrics_folder)
        print(f"ecart on http://{_shown(options.host)}:{options.port}  {described}", flush=True)
        _serve_until_stopped(options, settings)


def _keys_of(options: Options) -> dict[str, tuple[str, ...]]:
    """Whatever is secret, found and checked; a folder without a secret gets one."""
    found = {
        "secrets": find_secrets(options.secret, options.data_dir, options.host),
        "office_keys": find_keys("ECART_OFFICE_KEYS", options.office_keys),
        "metrics_keys": find_keys("ECART_METRICS_KEYS", options.metrics_keys),
    }
    check_admin_key(options.admin_key or None, write=options.admin_write)
    return found


def _settings_of(
    options: Options, keys: Mapping[str, Any], url: str, metrics_folder: str
) -> ServiceSettings:
    return ServiceSettings(
        redis_url=url,
        catalog=options.catalog,
        currency=options.currency,
        ttl_seconds=options.ttl,
        trusted_origins=options.trusted_origins,
        hold_seconds=options.hold,
        keep_additions=options.keep_additions,
        merge_policy=options.merge_policy,
        first_ttl_seconds=options.first_ttl or None,
        durability=options.durability,
        replicas=options.replicas,
        prefix=options.prefix,
        partitions=options.partitions,
        limits=options.limits,
        is_embedded=not options.redis_url,
        admin_key=options.admin_key or None,
        admin_write=options.admin_write,
        sweep_every=options.sweep_every,
        parent_pid=os.getpid(),
        is_local=is_loopback(options.host),
        metrics_folder=metrics_folder,
        log_format=options.log_format,
        log_level=options.log_level,
        access_log=options.access_log,
        **keys,
    )


@contextlib.contextmanager
def engine_url(options: Options) -> Iterator[tuple[str, str]]:
    """Where the carts are: the URL given, else the engine of the data folder, and its name.

    An engine that runs is made to sync as strictly as the options say, never less.
    """
    if options.redis_url:
        yield options.redis_url, "carts in the Redis that was given"
        return
    with open_engine(options.data_dir, engine=options.engine, fsync=options.fsync) as engine:
        version = ".".join(str(part) for part in engine.binary.version)
        yield engine.url, f"carts in {options.data_dir} ({engine.binary.name} {version})"


def _serve_until_stopped(options: Options, settings: ServiceSettings) -> None:
    hand_to_workers(settings)
    # uvicorn raises the signal again when it has finished; the engine is still to be closed then.
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        uvicorn.run(
            "ecart_server.app.application:create_app",
            factory=True,
            host=options.host,
            port=options.port,
            workers=options.workers,
            forwarded_allow_ips=options.trusted_proxies,
            http=BoundedProtocol,
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


def _shown(host: str) -> str:
    return "localhost" if host == "127.0.0.1" else f"[{host}]" if ":" in host else host
