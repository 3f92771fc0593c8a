"""The settings of `ecart serve`, and how worker processes get them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from ecart.errors import EcartError
from ecart.http.settings import HttpSettings
from ecart.stores.redis.durability import Mode
from ecart.stores.redis.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keyspace
from ecart_server.engine import Fsync
from ecart_server.rate_limits import Limits

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_VARIABLE = "ECART_WORKER_SETTINGS"


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine has the carts, under which keys, and when a change counts as done.

    `url` is empty while `ecart serve` has not started the embedded engine yet; `is_embedded` says
    that it is that one. `durability` and `replicas` are those of `AsyncRedisStore`.
    """

    url: str = ""
    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS
    durability: Mode = "primary"
    replicas: int | None = None
    is_embedded: bool = False

    @property
    def keys(self) -> Keyspace:
        """The names of the carts' keys."""
        return Keyspace(self.prefix, self.partitions)


class AdminSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's view: there is none without a `key`; with `can_write` it changes carts."""

    key: str | None = None
    can_write: bool = False


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form and the lowest level of log lines; `access`: a line for each request."""

    format: LogFormat = "text"
    level: LogLevel = "info"
    access: bool = False


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may read `/metrics`, and where the workers share their numbers.

    Any of `keys` opens the page; `is_open` opens it to everyone who reaches the service, which is
    for loopback alone. Without a `folder`, a worker shows its own numbers only.
    """

    keys: tuple[str, ...] = ()
    is_open: bool = False
    folder: str | None = None


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The proxies in front of the service.

    `trusted` are addresses and networks with commas, or `*`, whose `Forwarded` and `X-Forwarded-*`
    headers are believed; None: `FORWARDED_ALLOW_IPS`, else 127.0.0.1. `root_path` is the path that
    they serve the service below, such as `/shop`, where none sends `X-Forwarded-Prefix`.
    """

    trusted: str | None = None
    root_path: str = ""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a worker process needs to know.

    The first of `secrets` signs sessions, all of them verify. `catalog` is a file's path or a
    database's URL; without one a sample is sold. `limits` is None where no rate is limited.
    `sweep_every` is in seconds, 0 for never. A worker ends when its parent `parent_pid` does; 0:
    it has none.
    """

    secrets: tuple[str, ...]
    store: StoreSettings = StoreSettings()
    http: HttpSettings = HttpSettings()
    catalog: str | None = None
    limits: Limits | None = None
    admin: AdminSettings = AdminSettings()
    logs: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    proxies: ProxySettings = ProxySettings()
    sweep_every: int = 3600
    parent_pid: int = 0


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What only the parent of the workers needs: where it listens, and the embedded engine.

    `data_dir` is the folder of the embedded engine and of the session secret; `engine` is as in
    `find_binary`, `fsync` as in `open_engine`.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    engine: str = "auto"
    fsync: Fsync = "always"


class ConfigurationError(EcartError):
    """The settings do not fit together; the message says what to change."""

    code = "configuration_error"


def hand_to_workers(settings: ServiceSettings) -> None:
    """Puts the settings, as JSON, into the environment that worker processes inherit."""
    os.environ[_VARIABLE] = msgspec.json.encode(settings).decode()


def inherited_settings() -> ServiceSettings:
    """The settings that the parent process put into the environment.

    Raises:
        ConfigurationError: the parent is not `ecart serve`.
    """
    text = os.environ.get(_VARIABLE)
    if text is None:
        raise ConfigurationError("workers are started by `ecart serve`")
    return msgspec.json.decode(text, type=ServiceSettings)
