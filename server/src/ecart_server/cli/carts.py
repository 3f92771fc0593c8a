"""`ecart carts`."""

from __future__ import annotations

import shlex
from decimal import Decimal
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecart.money import display_text
from ecart_server.app.deployment_check import check_deployment
from ecart_server.app.location import CartLocation
from ecart_server.cart_index import CartRow, cart_row, list_carts
from ecart_server.cli.durations import DURATION, format_duration
from ecart_server.cli.location_options import takes_location
from ecart_server.cli.terminal import one_line, printable_json
from ecart_server.redis_admin.connections import opened_nodes


class _CartPage(msgspec.Struct, frozen=True):
    """A page. `now_ms`: the engine's time; `after`: the cursor of the next page, or None."""

    now_ms: int
    carts: tuple[CartRow, ...]
    after: str | None


@click.command("carts")
@takes_location
@click.option(
    "--idle",
    type=DURATION,
    default="0s",
    metavar="TIME",
    help="Only carts not changed for so long: 30m, 1h, 7d.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Carts a page."
)
@click.option("--after", metavar="CURSOR", help="Continue where the previous page ended.")
@click.option("--newest", is_flag=True, help="The ones changed last first.")
@click.option("--with-empty", is_flag=True, help="Also carts without lines.")
@click.option("--json", "as_json", is_flag=True, help="The page as JSON.")
def carts_command(as_json: bool, **arguments: Any) -> None:
    """List carts by their last change, longest idle first: abandoned carts, a page at a time.

    Of those that expire or are changed meanwhile none is shown twice, and no other is missed.
    """
    page = _read_page(**arguments)
    if as_json:
        click.echo(printable_json(msgspec.json.encode(page)))
        return
    if page.carts:
        Console(highlight=False).print(carts_table(page.carts, page.now_ms))
    else:
        click.echo("No carts.")
    if page.after is not None:
        click.echo(f"More: --after {shlex.quote(page.after)}", err=True)


def _read_page(
    location: CartLocation,
    idle: int,
    limit: int,
    after: str | None,
    newest: bool,
    with_empty: bool,
) -> _CartPage:
    with location.engine_url() as url:
        check_deployment(url, location.keys)
        with opened_nodes(url) as nodes:
            seconds, micros = nodes[0].call("TIME")
            now_ms = int(seconds) * 1000 + int(micros) // 1000
            page = list_carts(
                nodes,
                location.keys,
                limit=limit,
                until_ms=now_ms - 1000 * idle if idle else None,
                newest_first=newest,
                after=after,
                with_empty=with_empty,
            )
    return _CartPage(now_ms, tuple(map(cart_row, page.carts)), page.after)


def carts_table(carts: tuple[CartRow, ...], now_ms: int) -> Table:
    """The carts for a terminal."""
    table = Table()
    table.add_column("cart", overflow="fold", min_width=12)
    for name in ("lines", "units", "subtotal", "idle", "expires in"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for cart in carts:
        expires = "never"
        if cart.expires_ms is not None:
            expires = format_duration((cart.expires_ms - now_ms) / 1000)
        cells = (one_line(cart.cart_id), *content(cart), idle(cart, now_ms), expires, cart.state)
        table.add_row(*map(Text, cells))
    return table


def content(cart: CartRow) -> tuple[str, str, str]:
    """Lines, units and subtotal of a cart."""
    amount = display_text(Decimal(cart.subtotal), cart.currency)
    return f"{cart.line_count:,}", f"{cart.total_quantity:,}", f"{amount} {cart.currency}"


def idle(cart: CartRow, now_ms: int) -> str:
    """The time since its last change."""
    return format_duration((now_ms - cart.updated_ms) / 1000)
