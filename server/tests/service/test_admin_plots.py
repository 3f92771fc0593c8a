"""The numbers of the plots, and how single values are shown."""

from __future__ import annotations

from datetime import UTC, datetime

from ecart_server.admin.plots import Bar, ages_plot, minutes_plot, sizes_plot, values_plot
from ecart_server.cart_index import Bucket
from ecart_server.observability.minutes import Counts, Minute
from ecart_server.pages.formatting import amount, byte_size, duration, timestamp, visible


def test_a_plot_of_sizes() -> None:
    """A bar for each range, on an axis that ends with the longest."""
    plot = sizes_plot((Bucket(1, 30), Bucket(2, 15), Bucket(3, 0), Bucket(5, 1)))

    assert plot.bars == (
        Bar("1 line", 30),
        Bar("2 lines", 15),
        Bar("3 to 4 lines", 0),
        Bar("5 lines or more", 1),
    )
    assert plot.highest == 30


def test_an_axis_has_a_length() -> None:
    """Of nothing, too: a view box of 0 would draw nothing at all."""
    assert sizes_plot((Bucket(1, 0),)).highest == 1
    nothing = minutes_plot([Minute(0, Counts()), Minute(60, Counts())])
    assert [series.highest for series in nothing.series] == [1] * 4


def test_a_plot_of_values() -> None:
    """Amounts are numbers without a currency: each cart has its own."""
    plot = values_plot((Bucket(0, 1_000_000), Bucket(10, 1)))

    assert plot.bars == (Bar("below 10", 1_000_000), Bar("10 or more", 1))
    assert plot.highest == 1_000_000


def test_a_plot_of_minutes() -> None:
    """Four counters, each on an axis of its own; times are UTC."""
    plot = minutes_plot(
        [
            Minute(86_340, Counts(units_added=7, checkouts_begun=2)),
            Minute(86_400, Counts(removals=3, checkouts_completed=1, conflicts=9)),
        ]
    )

    assert plot.times == ("23:59", "00:00")
    assert [(series.name, series.counts, series.highest) for series in plot.series] == [
        ("units added", (7, 0), 7),
        ("removals", (0, 3), 3),
        ("check-outs begun", (2, 0), 2),
        ("orders", (0, 1), 1),
    ]


def test_a_plot_of_ages() -> None:
    """Times are told in their own units."""
    plot = ages_plot((Bucket(0, 1), Bucket(60, 2), Bucket(6 * 3600, 3), Bucket(86_400, 4)))

    assert [bar.label for bar in plot.bars] == [
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


def test_what_is_not_seen_is_spelled_out() -> None:
    """Markup is text; controls, directions, odd blanks and halves of characters have a name."""
    shown = visible("<b>\u202e\x07\n\u200b\u00a0\ud800é</b>")

    spelled = [rf'<span class="spelled">{code}</span>' for code in (
        r"\u202e", r"\x07", r"\n", r"\u200b", r"\xa0", r"\ud800"
    )]  # fmt: skip
    assert shown == f"<bdi>&lt;b&gt;{''.join(spelled)}é&lt;/b&gt;</bdi>"
