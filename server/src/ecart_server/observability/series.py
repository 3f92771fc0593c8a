"""The series of the metrics, and in which cell of an array each one is counted.

All values that a label can have are known when the service starts. So the layout is computed once,
counting is one addition to a cell, and no input can make a new series (decision 26).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, product
from typing import Protocol

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

BUCKET_BOUNDS = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""Upper bounds of the buckets of every histogram, in seconds; one more bucket has no bound."""

OTHER = "other"
"""The label value of everything that has no series of its own."""

_BUCKETS = len(BUCKET_BOUNDS) + 1
_BOUNDS = (*map(floatToGoString, BUCKET_BOUNDS), "+Inf")


class Cells(Protocol):
    """The counters of one worker: an array of floats, as `CellLayout` describes it.

    A histogram has a cell per bucket, which counts that bucket alone, and then one with the sum.
    """

    def __getitem__(self, place: int, /) -> float: ...
    def __setitem__(self, place: int, number: float, /) -> None: ...


class Family(msgspec.Struct, frozen=True):
    """A metric family: a name, and the values of each label; every combination is a series."""

    name: str
    help: str
    values: Mapping[str, Sequence[str]] = {}
    is_histogram: bool = False

    @property
    def width(self) -> int:
        """The number of cells of one series."""
        return _BUCKETS + 1 if self.is_histogram else 1


class CellLayout:
    """Maps each series to its cells. All workers of one service have the same layout."""

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
        """The first cell of each series of the family of this name, by its label values."""
        return next(places for family, places in self._series if family.name == name)

    def metrics(self, cells: Sequence[float]) -> Iterator[Metric]:
        """The families with their values. Series with labels are left out while they are 0."""
        for family, places in self._series:
            yield (
                _histogram(family, places, cells)
                if family.is_histogram
                else _counter(family, places, cells)
            )


def observe(cells: Cells, place: int, seconds: float) -> None:
    """Adds a duration to the histogram whose first cell is `place`."""
    cells[place + bisect_left(BUCKET_BOUNDS, seconds)] += 1.0
    cells[place + _BUCKETS] += seconds


def observations(cells: Cells, place: int) -> int:
    """How many durations were added to the histogram whose first cell is `place`."""
    return int(sum(cells[bucket] for bucket in range(place, place + _BUCKETS)))


def _counter(
    family: Family, places: Mapping[tuple[str, ...], int], cells: Sequence[float]
) -> Metric:
    metric = CounterMetricFamily(family.name, family.help, labels=tuple(family.values))
    for labels, place in places.items():
        if cells[place] or not labels:
            metric.add_metric(labels, cells[place])
    return metric


def _histogram(
    family: Family, places: Mapping[tuple[str, ...], int], cells: Sequence[float]
) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=tuple(family.values))
    for labels, place in places.items():
        counted = list(accumulate(cells[place : place + _BUCKETS]))
        if counted[-1] or not labels:
            buckets = list(zip(_BOUNDS, counted, strict=True))
            metric.add_metric(labels, buckets, cells[place + _BUCKETS])
    return metric
