"""`ecart top`."""

from __future__ import annotations

import contextlib
import time

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart_server.app.deployment_check import check_deployment
from ecart_server.app.location import CartLocation
from ecart_server.cart_index import ActivityMonitor, ActivitySample
from ecart_server.cli.carts import content, idle
from ecart_server.cli.location_options import takes_location
from ecart_server.cli.terminal import one_line, printable_json
from ecart_server.redis_admin.connections import opened_nodes

_OTHER_ROWS = 7
"""Rows of the terminal that do not show a cart."""
_OTHER_COLUMNS = 66
"""Columns that a row takes beside the id of the cart."""
_MIN_ID_COLUMNS = 12


@click.command("top")
@takes_location
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two updates.",
)
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Carts.")
@click.option("--once", is_flag=True, help="Show one update; the rates are those of one interval.")
@click.option("--json", "as_json", is_flag=True, help="One update as JSON.")
def top_command(
    location: CartLocation, every: float, limit: int, once: bool, as_json: bool
) -> None:
    """Watch the carts that are being changed. Ctrl-C ends it.

    Where the output is no terminal, it shows one update.
    """
    console, keys = Console(highlight=False), location.keys
    with location.engine_url() as url, contextlib.suppress(KeyboardInterrupt):
        check_deployment(url, keys)
        if once or as_json or not console.is_terminal:
            _show_once(url, keys, every, limit, as_json)
        else:
            _show_live(console, url, keys, every, min(limit, max(1, console.height - _OTHER_ROWS)))


def _show_once(url: str, keys: Keyspace, every: float, limit: int, as_json: bool) -> None:
    with opened_nodes(url) as nodes:
        monitor = ActivityMonitor(nodes, keys, limit)
        monitor.sample()
        time.sleep(every)
        sample = monitor.sample()
    if as_json:
        click.echo(printable_json(msgspec.json.encode(sample)))
    else:
        console = Console(highlight=False)
        console.print(_screen(sample, console.width))


def _show_live(console: Console, url: str, keys: Keyspace, every: float, limit: int) -> None:
    with (
        opened_nodes(url) as nodes,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        monitor, shown = ActivityMonitor(nodes, keys, limit), Group()
        while True:
            try:
                shown = _screen(monitor.sample(), console.width)
                live.update(shown, refresh=True)
            except StoreUnavailableError as error:
                message = Text(f"The engine does not answer: {one_line(str(error))}", "bold red")
                live.update(Group(message, *shown.renderables), refresh=True)
            time.sleep(every)


def _screen(sample: ActivitySample, width: int) -> Group:
    head = Text.assemble(
        (f"{sample.indexed:,}", "bold"),
        " carts noted   ",
        (_rate_text(sample.changes), "bold"),
        " changes/s   ",
        (_rate_text(sample.commands), "bold"),
        " commands/s   ",
        (f"{sample.memory / 1e6:,.1f}", "bold"),
        " MB",
    )
    return Group(head, _table(sample, max(_MIN_ID_COLUMNS, width - _OTHER_COLUMNS)))


def _table(sample: ActivitySample, longest: int) -> Table:
    """A row for each cart; an id that does not fit is cut, so that no row takes two lines."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("cart", overflow="fold", min_width=_MIN_ID_COLUMNS)
    for name in ("changes/s", "lines", "units", "subtotal", "idle"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for active in sample.carts:
        cart, cart_id = active.cart, one_line(active.cart.cart_id)
        if len(cart_id) > longest:
            cart_id = cart_id[: longest - 1] + "…"
        rate, idle_time = _rate_text(active.changes), idle(cart, sample.taken_ms)
        table.add_row(*map(Text, (cart_id, rate, *content(cart), idle_time, cart.state)))
    return table


def _rate_text(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:,.1f}" if rate < 10 else f"{rate:,.0f}"
