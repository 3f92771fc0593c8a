"""The drawings, and how single values are shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecart_server.admin.plots import ages_plot, sizes_plot, values_plot
from ecart_server.cart_index import Bucket
from ecart_server.pages.formatting import (
    amount,
    byte_size,
    duration,
    short,
    timestamp,
    visible,
)


def test_a_plot_of_sizes() -> None:
    """Bars are as high as their counts on an axis that ends at a round number."""
    counts = (Bucket(1, 30), Bucket(2, 15), Bucket(3, 0), Bucket(5, 1))

    plot = sizes_plot(counts)

    assert [bar.told for bar in plot.bars] == [
        "1 line",
        "2 lines",
        "3 to 4 lines",
        "5 lines or more",
    ]
    assert [bar.carts for bar in plot.bars] == [30, 15, 0, 1]
    assert [tick.label for tick in plot.ticks] == ["0", "10", "20", "30", "40"]
    assert [round(bar.height, 1) for bar in plot.bars] == [102.0, 51.0, 0.0, 3.4]
    assert all(bar.y + bar.height == pytest.approx(plot.floor) for bar in plot.bars)
    assert plot.bars[-1].x + plot.bars[-1].width <= plot.right


def test_a_cart_of_a_million_is_still_seen() -> None:
    """A bar that would be thinner than a hair is not nothing."""
    plot = values_plot((Bucket(0, 1_000_000), Bucket(10, 1)))

    assert plot.bars[1].height == 1.5
    assert [tick.label for tick in plot.ticks] == ["0", "250k", "500k", "750k", "1M"]


@pytest.mark.parametrize("most", [0, 1, 2, 3, 4, 5, 9, 10, 11, 61, 99, 100, 101, 12_345, 999_999])
def test_the_axis_holds_the_highest_bar(most: int) -> None:
    """Its ticks are whole numbers, evenly apart, and none stands twice."""
    plot = sizes_plot((Bucket(1, most),))

    assert plot.bars[0].height <= plot.floor - 22
    labels = [tick.label for tick in plot.ticks]
    assert len(set(labels)) == len(labels) >= 2
    gaps = {round(a.y - b.y) for a, b in zip(plot.ticks, plot.ticks[1:], strict=False)}
    assert max(gaps) - min(gaps) <= 1


def test_a_plot_of_ages() -> None:
    """Times are told in their own units."""
    plot = ages_plot((Bucket(0, 1), Bucket(60, 2), Bucket(6 * 3600, 3), Bucket(86_400, 4)))

    assert [bar.label for bar in plot.bars] == ["0", "1m", "6h", "1d"]
    assert [bar.told for bar in plot.bars] == [
        "below 1 min",
        "1 min to below 6 h",
        "6 h to below 1 d",
        "1 d or more",
    ]


def test_values() -> None:
    """Amounts, times, lengths of time and bytes as people read them."""
    assert amount("1234567.5", "USD") == "1,234,567.50"
    assert amount("1500", "JPY") == "1,500"
    assert amount(None, "USD") == "–"
    told = '<time datetime="2026-11-22T09:05:07Z">2026-11-22 09:05:07 UTC</time>'
    assert timestamp(datetime(2026, 11, 22, 9, 5, 7, tzinfo=UTC)) == told
    assert timestamp(1_795_338_307_000) == told
    assert [duration(n) for n in (0, 59, 60, 3725, 90_000, 864_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 2 min",
        "1 d 1 h",
        "10 d",
    ]
    assert [byte_size(n) for n in (0, 1023, 1536, 5 << 20, 3 << 30)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "5.0 MiB",
        "3.0 GiB",
    ]
    assert [short(n) for n in (0, 999, 1000, 1500, 2_000_000)] == ["0", "999", "1k", "1.5k", "2M"]


def test_what_is_not_seen_is_spelled_out() -> None:
    """Markup is text; controls, directions, odd blanks and halves of characters have a name."""
    shown = visible("<b>\u202e\x07\n\u200b\u00a0\ud800é</b>")

    spelled = [rf'<span class="spelled">{code}</span>' for code in (
        r"\u202e", r"\x07", r"\n", r"\u200b", r"\xa0", r"\ud800"
    )]  # fmt: skip
    assert shown == f"<bdi>&lt;b&gt;{''.join(spelled)}é&lt;/b&gt;</bdi>"
