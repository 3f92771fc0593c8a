"""What the service is told, and how a worker process learns of it."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket
from pathlib import Path
from typing import Literal

import msgspec

from ecart.errors import EcartError
from ecart.http.settings import SHORTEST_KEY
from ecart.model import MergePolicy
from ecart.operations import QUARTER_HOUR
from ecart.stores.redis.durability import Mode
from ecart.stores.redis.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keyspace
from ecart_server.rate_limits import Limits

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_VARIABLE = "ECART_WORKER_SETTINGS"


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker needs. The first of `secrets` signs sessions, all of them verify.

    `catalog` is a file's path or a database's URL; without one the sample is sold, and unknown SKUs
    are accepted. `is_local`: only this machine can reach the service. `metrics_folder` is where
    the workers keep their numbers; without one, a worker knows of its own alone. Without an
    `admin_key` there is no operator's view; `sweep_every` is in seconds, 0 for never.
    """

    redis_url: str
    secrets: tuple[str, ...]
    catalog: str | None = None
    currency: str = "USD"
    ttl_seconds: int | None = 604_800
    trusted_origins: tuple[str, ...] = ()
    office_keys: tuple[str, ...] = ()
    hold_seconds: int = QUARTER_HOUR
    keep_additions: bool = False
    merge_policy: MergePolicy = "sum"
    first_ttl_seconds: int | None = None
    durability: Mode = "primary"
    replicas: int | None = None
    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS
    limits: Limits | None = None
    is_embedded: bool = False
    admin_key: str | None = None
    admin_write: bool = False
    sweep_every: int = 3600
    parent_pid: int = 0
    is_local: bool = False
    metrics_keys: tuple[str, ...] = ()
    metrics_folder: str | None = None
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"
    access_log: bool = False

    @property
    def keys(self) -> Keyspace:
        """Where the carts are in the engine."""
        return Keyspace(self.prefix, self.partitions)


class ConfigurationError(EcartError):
    """The service cannot run as it is told to; the message says what to change."""

    code = "configuration_error"


def hand_to_workers(settings: ServiceSettings) -> None:
    """Leaves the settings where a worker process, a child of this one, finds them."""
    os.environ[_VARIABLE] = msgspec.json.encode(settings).decode()


def handed_settings() -> ServiceSettings:
    """The settings that the parent process left.

    Raises:
        ConfigurationError: there is no such parent.
    """
    text = os.environ.get(_VARIABLE)
    if text is None:
        raise ConfigurationError("workers are started by `ecart serve`")
    return msgspec.json.decode(text, type=ServiceSettings)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_keys(variable: str, given: str | None) -> tuple[str, ...]:
    """The keys in a variable, separated by commas; without any, what they open is not there.

    Raises:
        ConfigurationError: one is short enough to be guessed.
    """
    keys = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ConfigurationError(f"{variable}: each key has 16 characters or more")
    return keys


def check_admin_key(given: str | None, *, write: bool) -> None:
    """Nothing, if the operator's view can be opened with this key, or there is to be none.

    Raises:
        ConfigurationError: it is short enough to be guessed; or it may write, and nobody gets in.
    """
    if given is not None and len(given) < SHORTEST_KEY:
        raise ConfigurationError("ECART_ADMIN_KEY: the key has 16 characters or more")
    if write and given is None:
        raise ConfigurationError("--admin-write wants a key: set ECART_ADMIN_KEY")


def check_address(host: str, port: int) -> None:
    """Refuses an address that cannot be listened on, before anything is started.

    Raises:
        ConfigurationError: it is taken, or none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def find_secrets(given: str | None, data_dir: Path, host: str) -> tuple[str, ...]:
    """The secrets given (separated by commas), or the one that the data folder keeps.

    Raises:
        ConfigurationError: none is given though others can reach the service, or one is short.
    """
    if given:
        found = tuple(part.strip() for part in given.split(",") if part.strip())
        if not found or any(len(secret) < 16 for secret in found):
            raise ConfigurationError("ECART_SECRET: each secret has 16 characters or more")
        return found
    if not is_loopback(host):
        raise ConfigurationError(
            f"others can reach {host}: set ECART_SECRET (16 characters or more, the same for "
            "every process that serves these carts)"
        )
    return (_kept_secret(data_dir / "secret"),)


def _kept_secret(path: Path) -> str:
    """The secret in the file, made at the first start; readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".secret.{os.getpid()}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(secrets.token_urlsafe(32))
        # A link is made whole or not at all, and never over the secret of another process.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    secret = path.read_text().strip()
    if len(secret) < 16:
        raise ConfigurationError(f"{path} holds no secret; delete it to have a new one made")
    return secret
