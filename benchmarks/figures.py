"""What a measurement gives: figures, each with its values of all rounds and maybe a target."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .lab import Lab


class Target(msgspec.Struct, frozen=True):
    """What a figure is to be: `limit` at most, or at least."""

    limit: float
    at_most: bool

    def reached_by(self, value: float) -> bool:
        """Whether a value is on the right side."""
        return value <= self.limit if self.at_most else value >= self.limit


def at_most(limit: float) -> Target:
    """A target from below."""
    return Target(limit, at_most=True)


def at_least(limit: float) -> Target:
    """A target from above."""
    return Target(limit, at_most=False)


class Figure(msgspec.Struct, frozen=True):
    """One line of the table: `name` says what is divided by what, `values` one for each round.

    `beside` holds what was divided, contender by contender, with the unit in `beside_unit`.
    """

    name: str
    values: tuple[float, ...]
    unit: str = "times"
    target: Target | None = None
    note: str = ""
    beside: Mapping[str, tuple[float, ...]] = {}
    beside_unit: str = "µs"

    @property
    def median(self) -> float:
        """The figure that is quoted."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between them lies the middle half of the rounds."""
        if len(self.values) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        return None if self.target is None else self.target.reached_by(self.median)


class Measurement(msgspec.Struct, frozen=True):
    """Takes figures in one go; chosen by its family and a part of its name."""

    name: str
    run: Callable[[Lab], Iterable[Figure]]
