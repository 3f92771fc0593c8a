"""How carts are spread, as bars: all that a template needs to draw them, and the same as a table.

Lengths are those of the drawing's own coordinates, which are about pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec

from ecart_server.cart_index import Bucket
from ecart_server.pages.formatting import duration, short
from ecart_server.redis_admin.minutes import Minute

WIDTH, LONG, HEIGHT = 360, 960, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 22, 42
_TICKS = 4


class Bar(msgspec.Struct, frozen=True):
    """`label` stands below its left edge; `told` says in words what is counted."""

    x: float
    y: float
    width: float
    height: float
    label: str
    told: str
    carts: int


class Tick(msgspec.Struct, frozen=True):
    """A line across, and what it stands for."""

    y: float
    label: str


class Plot(msgspec.Struct, frozen=True):
    """One drawing: `unit` names the axis across; the one upward counts carts."""

    name: str
    title: str
    unit: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    floor: int = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


class Series(msgspec.Struct, frozen=True):
    """One line of a drawing: its name, its points as SVG has them, the numbers themselves."""

    name: str
    style: str
    points: str
    counts: tuple[int, ...]


class MinutesPlot(msgspec.Struct, frozen=True):
    """What was done in each of the last minutes; `times` are those of the minutes, UTC."""

    series: tuple[Series, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[tuple[float, str], ...]
    times: tuple[str, ...]
    left: int = _LEFT
    right: int = LONG - _RIGHT
    floor: int = HEIGHT - _BOTTOM
    width: int = LONG
    height: int = HEIGHT


def minutes_plot(minutes: Sequence[Minute]) -> MinutesPlot:
    """Units added, removals and check-outs in each minute, oldest first."""
    kinds = {
        "units added": ("added", [minute.counts.units_added for minute in minutes]),
        "removals": ("removed", [minute.counts.removals for minute in minutes]),
        "check-outs begun": ("begun", [minute.counts.checkouts_begun for minute in minutes]),
        "orders": ("ordered", [minute.counts.checkouts_completed for minute in minutes]),
    }
    highest = _highest(max((n for _, counts in kinds.values() for n in counts), default=0))
    step = (LONG - _LEFT - _RIGHT) / max(1, len(minutes) - 1)
    xs = [round(_LEFT + i * step, 1) for i in range(len(minutes))]
    times = tuple(f"{datetime.fromtimestamp(minute.begin, UTC):%H:%M}" for minute in minutes)
    series = tuple(
        Series(name, style, _points(xs, counts, highest), tuple(counts))
        for name, (style, counts) in kinds.items()
    )
    labels = tuple((xs[i], times[i]) for i in range(0, len(times), max(1, len(times) // 6)))
    return MinutesPlot(series, _ticks(highest), labels, times)


def _points(xs: Sequence[float], counts: Sequence[int], highest: int) -> str:
    room = HEIGHT - _TOP - _BOTTOM
    ys = [round(HEIGHT - _BOTTOM - room * count / highest, 1) for count in counts]
    return " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))


def sizes_plot(buckets: Sequence[Bucket]) -> Plot:
    """Carts by lines."""
    return _plot("sizes", "Carts by size", "lines in the cart", buckets, short, _whole("line"))


def values_plot(buckets: Sequence[Bucket]) -> Plot:
    """Carts by subtotal."""
    unit = "subtotal, in units of the cart’s currency"
    return _plot("values", "Carts by value", unit, buckets, short, _below(str))


def ages_plot(buckets: Sequence[Bucket]) -> Plot:
    """Carts by the time since their last change."""
    unit = "time since the last change"
    return _plot("ages", "Carts by age", unit, buckets, _brief, _below(duration))


def _plot(
    name: str,
    title: str,
    unit: str,
    buckets: Sequence[Bucket],
    label: Callable[[int], str],
    told: Callable[[int, int | None], str],
) -> Plot:
    highest = _highest(max((bucket.carts for bucket in buckets), default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(buckets))
    room = HEIGHT - _TOP - _BOTTOM
    ends = [later.at_least for _, later in pairwise(buckets)]
    bars = []
    for i, (bucket, end) in enumerate(zip(buckets, [*ends, None], strict=True)):
        height = room * bucket.carts / highest
        height = max(1.5, height) if bucket.carts else 0.0  # a single cart of many is seen, too
        bars.append(
            Bar(
                x=round(_LEFT + i * step, 1),
                y=round(HEIGHT - _BOTTOM - height, 1),
                width=round(step - 3, 1),
                height=round(height, 1),
                label=label(bucket.at_least),
                told=told(bucket.at_least, end),
                carts=bucket.carts,
            )
        )
    return Plot(name, title, unit, tuple(bars), _ticks(highest))


def _ticks(highest: int) -> tuple[Tick, ...]:
    steps, room = min(_TICKS, highest), HEIGHT - _TOP - _BOTTOM
    return tuple(
        Tick(round(HEIGHT - _BOTTOM - room * i / steps, 1), short(highest * i // steps))
        for i in range(steps + 1)
    )


def _highest(most: int) -> int:
    """The end of the axis: the next number that is cut into quarters well."""
    if most <= _TICKS:
        return max(1, most)
    power = int(10 ** math.floor(math.log10(most)))
    for factor in (1, 2, 4, 6, 8, 10):
        if factor * power >= most and factor * power % _TICKS == 0:
            return factor * power
    return 10 * power if 10 * power % _TICKS == 0 else 20 * power


def _whole(noun: str) -> Callable[[int, int | None], str]:
    def told(first: int, end: int | None) -> str:
        if end is None:
            return f"{first} {noun}s or more"
        if end == first + 1:
            return f"{first} {noun}{'' if first == 1 else 's'}"
        return f"{first} to {end - 1} {noun}s"

    return told


def _below(shown: Callable[[int], str]) -> Callable[[int, int | None], str]:
    def told(first: int, end: int | None) -> str:
        if end is None:
            return f"{shown(first)} or more"
        return f"{shown(first)} to below {shown(end)}" if first else f"below {shown(end)}"

    return told


def _brief(seconds: int) -> str:
    return duration(seconds).replace(" min", "m").replace(" ", "") if seconds else "0"
