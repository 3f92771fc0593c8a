"""The options that say where the carts are, the same for every command."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ecart.stores.redis.keys import Keyspace
from ecart_server.app.location import CartLocation
from ecart_server.cli.settings_options import F, setting


def _default_data_dir() -> Path:
    """The folder that the XDG Base Directory Specification gives an application's data."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "ecart"


def _checked_prefix(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return Keyspace(value).prefix
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_OPTIONS = (
    setting(
        "--redis-url",
        "store__url",
        metavar="URL",
        help="Where the carts are: redis://, rediss://, unix:// or valkey://. "
        "Without it, in the embedded engine.",
    ),
    setting(
        "--data-dir",
        "process__data_dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=_default_data_dir,
        show_default="~/.local/share/ecart",
        help="Folder of the embedded engine and of the session secret.",
    ),
    setting(
        "--engine",
        "process__engine",
        help="Embedded engine: auto, valkey, redis, or the path of a server.",
    ),
    setting(
        "--prefix",
        "store__prefix",
        callback=_checked_prefix,
        help="What the carts' keys begin with; keeps tenants or environments apart.",
    ),
    setting(
        "--partitions",
        "store__partitions",
        type=click.IntRange(1, 16_384),
        help="Fixed for the life of a deployment; another number finds other keys.",
    ),
)


def location_options(command: F) -> F:
    """Adds the options; the command gets them as fields of settings."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def takes_location(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options; the command gets them as one `CartLocation`, its argument `location`."""

    @functools.wraps(command)
    def with_location(
        *,
        store__url: str,
        store__prefix: str,
        store__partitions: int,
        process__data_dir: Path,
        process__engine: str,
        **rest: Any,
    ) -> Any:
        location = CartLocation(
            url=store__url,
            data_dir=process__data_dir,
            engine=process__engine,
            prefix=store__prefix,
            partitions=store__partitions,
        )
        return command(location=location, **rest)

    return location_options(with_location)
