"""The series of the metrics: laid out beforehand, each with a cell of its own.

What a label can say is settled when the service starts, so no input makes a new series.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, product
from typing import Protocol

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of every histogram; one more bucket has no bound."""

OTHER = "other"
"""What a label says of all that has no series of its own."""

_BUCKETS = len(SECONDS) + 1
_BOUNDS = (*map(floatToGoString, SECONDS), "+Inf")


class Cells(Protocol):
    """The numbers of a worker. A histogram has a cell per bucket, not added up, then the sum."""

    def __getitem__(self, place: int, /) -> float: ...
    def __setitem__(self, place: int, number: float, /) -> None: ...


class Family(msgspec.Struct, frozen=True):
    """The series of one name: all combinations of what its labels can say."""

    name: str
    help: str
    values: Mapping[str, Sequence[str]] = {}
    is_histogram: bool = False

    @property
    def width(self) -> int:
        """How many cells one series takes."""
        return _BUCKETS + 1 if self.is_histogram else 1


class Layout:
    """Where the cells of each series are. Workers of one service share a layout."""

    def __init__(self, families: Sequence[Family], reserved: int = 0) -> None:
        self._series: list[tuple[Family, dict[tuple[str, ...], int]]] = []
        self.size = reserved
        for family in families:
            places = {}
            for labels in product(*family.values.values()):
                places[labels] = self.size
                self.size += family.width
            self._series.append((family, places))

    def places(self, name: str) -> dict[tuple[str, ...], int]:
        """The first cell of each series of a family, by what its labels say."""
        return next(places for family, places in self._series if family.name == name)

    def shown(self, cells: Sequence[float]) -> Iterator[Metric]:
        """The families as Prometheus knows them; labelled series only where they have counted."""
        for family, places in self._series:
            yield (
                _histogram(family, places, cells)
                if family.is_histogram
                else _counter(family, places, cells)
            )


def observe(cells: Cells, place: int, seconds: float) -> None:
    """Adds a duration to the histogram that begins at `place`."""
    cells[place + bisect_left(SECONDS, seconds)] += 1.0
    cells[place + _BUCKETS] += seconds


def observations(cells: Cells, place: int) -> int:
    """How many durations are in the histogram that begins at `place`."""
    return int(sum(cells[bucket] for bucket in range(place, place + _BUCKETS)))


def _counter(
    family: Family, places: Mapping[tuple[str, ...], int], cells: Sequence[float]
) -> Metric:
    shown = CounterMetricFamily(family.name, family.help, labels=tuple(family.values))
    for labels, place in places.items():
        if cells[place] or not labels:
            shown.add_metric(labels, cells[place])
    return shown


def _histogram(
    family: Family, places: Mapping[tuple[str, ...], int], cells: Sequence[float]
) -> Metric:
    shown = HistogramMetricFamily(family.name, family.help, labels=tuple(family.values))
    for labels, place in places.items():
        counted = list(accumulate(cells[place : place + _BUCKETS]))
        if counted[-1] or not labels:
            buckets = list(zip(_BOUNDS, counted, strict=True))
            shown.add_metric(labels, buckets, cells[place + _BUCKETS])
    return shown
