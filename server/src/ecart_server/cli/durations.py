"""Durations on the command line: `90s`, `30m`, `1h`, `7d`, or seconds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9})([smhdw]?)", re.ASCII)


if TYPE_CHECKING:
    _IntType = click.ParamType[int]
else:  # before click 8.4 it cannot be subscripted
    _IntType = click.ParamType


class Duration(_IntType):
    """Whole seconds from a number and a unit."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no duration: write 90s, 30m, 1h, 7d or 2w", param, ctx)
        return int(match[1]) * _SECONDS[match[2]]


DURATION = Duration()


def format_duration(seconds: float) -> str:
    """The two largest units: `3 d 4 h`, `12 min`, `8 s`."""
    whole = max(0, int(seconds))
    for size, name, smaller, its_name in _UNITS:
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {its_name}" if rest else "")
    return f"{whole} s"


_UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
