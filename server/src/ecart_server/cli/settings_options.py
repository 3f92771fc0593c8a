"""Options that fill settings: each is named after the field that it fills.

click passes an option's value on under a name. Here that name is the path of a field of
`ServiceSettings`, with `__` between its parts: `--hold` is `http__hold_seconds`, and fills
`settings.http.hold_seconds`. Paths that begin with `process__` are those of `ProcessSettings`. So a
setting is written in two places, as a field and as an option; its default stands at the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import click

from ecart_server.rate_limits import Limits
from ecart_server.settings import ProcessSettings, ServiceSettings

F = TypeVar("F", bound=Callable[..., Any])

_PROCESS = "process__"
_SERVICE_DEFAULTS = ServiceSettings(secrets=(), limits=Limits())
_PROCESS_DEFAULTS = ProcessSettings(data_dir=Path())


def default_of(path: str) -> Any:
    """The default of the field at a path such as `http__hold_seconds`."""
    defaults = _PROCESS_DEFAULTS if path.startswith(_PROCESS) else _SERVICE_DEFAULTS
    return attrgetter(path.removeprefix(_PROCESS).replace("__", "."))(defaults)


def setting(option: str, path: str, **attributes: Any) -> Callable[[F], F]:
    """A click option, such as `--hold`, that fills the field at a path.

    Its variable is `ECART_HOLD`. A field that is false by default makes a flag. `attributes` are
    those of `click.option`, and come before what is derived here.
    """
    default = attributes.get("default", default_of(path))
    derived = {
        "envvar": f"ECART_{option.removeprefix('--').replace('-', '_').upper()}",
        "default": default,
        "show_default": default not in (None, False, "", ()),
        "is_flag": default is False,
    }
    return click.option(option, path, **{**derived, **attributes})


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """`{"http": {"hold_seconds": 900}}` for `{"http__hold_seconds": 900}`."""
    tree: dict[str, Any] = {}
    for path, value in options.items():
        *groups, field = path.split("__")
        group = tree
        for name in groups:
            group = group.setdefault(name, {})
        group[field] = value
    return tree
