"""`ecart show`."""

from __future__ import annotations

import sys

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecart.cart import Cart
from ecart.http.views import cart_view
from ecart.model import CartSnapshot
from ecart.money import display_text
from ecart_server.app.deployment_check import check_deployment
from ecart_server.app.location import CartLocation
from ecart_server.cli.location_options import takes_location
from ecart_server.cli.terminal import printable, printable_json


@click.command("show")
@click.argument("cart_id")
@takes_location
@click.option("--json", "as_json", is_flag=True, help="The cart as the HTTP API shows it.")
def show_command(cart_id: str, location: CartLocation, as_json: bool) -> None:
    """Show a cart."""
    cart = _read(cart_id, location)
    if as_json:
        click.echo(printable_json(msgspec.json.encode(cart_view(cart))))
    elif cart.exists:
        Console().print(cart_table(cart))
    if not cart.exists:
        click.echo(f"ecart: there is no cart {printable(cart_id)!r} [cart_not_found]", err=True)
        sys.exit(1)


def _read(cart_id: str, location: CartLocation) -> CartSnapshot:
    with location.engine_url() as url:
        with location.store(url) as store:
            cart = Cart(cart_id, store).get()
        if not cart.exists:
            check_deployment(url, location.keys)
        return cart


def cart_table(cart: CartSnapshot) -> Table:
    """The cart for a terminal."""
    expires = cart.expires_at.strftime("%Y-%m-%d %H:%M UTC") if cart.expires_at else "never"
    table = Table(
        title=Text(f"cart {printable(cart.cart_id)}"),
        caption=f"version {cart.version}, expires {expires}",
        show_footer=True,
    )
    table.add_column(
        "item", footer=f"{cart.line_count} " + ("line" if cart.line_count == 1 else "lines")
    )
    table.add_column("options")
    table.add_column("quantity", footer=str(cart.total_quantity), justify="right")
    table.add_column("unit price", justify="right")
    total = f"{display_text(cart.subtotal, cart.currency)} {cart.currency}"
    table.add_column("subtotal", footer=total, justify="right")
    for line in cart.lines:
        options = ", ".join(f"{name}={value}" for name, value in line.options.items())
        prices = [
            "–" if amount is None else display_text(amount, cart.currency)
            for amount in (line.unit_price, line.subtotal)
        ]
        name = f"{line.sku}\n{line.title}" if line.title else line.sku
        cells = (name, options, str(line.quantity), *prices)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table
