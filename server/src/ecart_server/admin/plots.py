"""The numbers and labels of the overview's plots; scaling and drawing them is the browser's.

The policy of the pages forbids inline styles, so a bar's length cannot be a CSS value. Each drawing
is an SVG whose view box is measured in the counted units: a bar of 30 carts is 30 long, and the
browser stretches the box to the room there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec

from ecart_server.cart_index import Bucket
from ecart_server.observability.minutes import Minute
from ecart_server.pages.formatting import duration


class Bar(msgspec.Struct, frozen=True):
    """How many carts are in one range: `3 to 4 lines`."""

    label: str
    carts: int


class Distribution(msgspec.Struct, frozen=True):
    """A histogram of the open carts. `unit` names what the ranges are of."""

    title: str
    unit: str
    bars: tuple[Bar, ...]

    @property
    def highest(self) -> int:
        """The length of the axis, at least 1."""
        return max([1, *(bar.carts for bar in self.bars)])


class Series(msgspec.Struct, frozen=True):
    """What one counter counted in each minute. `style` is the CSS class of its columns."""

    name: str
    style: str
    counts: tuple[int, ...]

    @property
    def highest(self) -> int:
        """The height of the axis, at least 1."""
        return max([1, *self.counts])


class MinutesPlot(msgspec.Struct, frozen=True):
    """What shoppers did in each of the last minutes. `times` are their beginnings, UTC."""

    series: tuple[Series, ...]
    times: tuple[str, ...]


def minutes_plot(minutes: Sequence[Minute]) -> MinutesPlot:
    """Units added, removals and check-outs in each minute, in the order of `minutes`."""
    counts = [minute.counts for minute in minutes]
    return MinutesPlot(
        series=(
            Series("units added", "added", tuple(c.units_added for c in counts)),
            Series("removals", "removed", tuple(c.removals for c in counts)),
            Series("check-outs begun", "begun", tuple(c.checkouts_begun for c in counts)),
            Series("orders", "ordered", tuple(c.checkouts_completed for c in counts)),
        ),
        times=tuple(f"{datetime.fromtimestamp(m.begin, UTC):%H:%M}" for m in minutes),
    )


def sizes_plot(buckets: Sequence[Bucket]) -> Distribution:
    """Carts by their number of lines."""
    return _distribution("Carts by size", "lines in the cart", buckets, _lines)


def values_plot(buckets: Sequence[Bucket]) -> Distribution:
    """Carts by subtotal, each in units of its own currency."""
    unit = "subtotal, in units of the cart’s currency"
    return _distribution("Carts by value", unit, buckets, _range_of(str))


def ages_plot(buckets: Sequence[Bucket]) -> Distribution:
    """Carts by the time since their last change."""
    unit = "time since the last change"
    return _distribution("Carts by age", unit, buckets, _range_of(duration))


def _distribution(
    title: str, unit: str, buckets: Sequence[Bucket], label: Callable[[int, int | None], str]
) -> Distribution:
    ends = [*(later.at_least for _, later in pairwise(buckets)), None]
    bars = [Bar(label(b.at_least, end), b.carts) for b, end in zip(buckets, ends, strict=True)]
    return Distribution(title, unit, tuple(bars))


def _lines(first: int, end: int | None) -> str:
    if end is None:
        return f"{first} lines or more"
    if end == first + 1:
        return f"{first} line{'' if first == 1 else 's'}"
    return f"{first} to {end - 1} lines"


def _range_of(shown: Callable[[int], str]) -> Callable[[int, int | None], str]:
    def label(first: int, end: int | None) -> str:
        if end is None:
            return f"{shown(first)} or more"
        return f"{shown(first)} to below {shown(end)}" if first else f"below {shown(end)}"

    return label
