"""The options that say where the carts are, the same for every command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ecart.stores.redis.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keyspace


def _default_data_dir() -> Path:
    """The folder that the XDG Base Directory Specification gives an application's data."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "ecart"


def _checked_prefix(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return Keyspace(value).prefix
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_WHERE = (
    click.option(
        "--redis-url",
        envvar="ECART_REDIS_URL",
        metavar="URL",
        help="Where the carts are: redis://, rediss://, unix:// or valkey://. "
        "Without it, in the embedded engine.",
    ),
    click.option(
        "--data-dir",
        envvar="ECART_DATA_DIR",
        type=click.Path(path_type=Path, file_okay=False),
        default=_default_data_dir,
        show_default="~/.local/share/ecart",
        help="Folder of the embedded engine and of the session secret.",
    ),
    click.option(
        "--engine",
        envvar="ECART_ENGINE",
        default="auto",
        show_default=True,
        help="Embedded engine: auto, valkey, redis, or the path of a server.",
    ),
    click.option(
        "--prefix",
        envvar="ECART_PREFIX",
        default=DEFAULT_PREFIX,
        show_default=True,
        callback=_checked_prefix,
        help="What the carts' keys begin with; keeps tenants or environments apart.",
    ),
    click.option(
        "--partitions",
        envvar="ECART_PARTITIONS",
        type=click.IntRange(1, 16_384),
        default=DEFAULT_PARTITIONS,
        show_default=True,
        help="Fixed for the life of a deployment; another number finds other keys.",
    ),
)


def where(command: Any) -> Any:
    """Gives a command the options that say where the carts are: fields of `Options`."""
    for option in reversed(_WHERE):
        command = option(command)
    return command
