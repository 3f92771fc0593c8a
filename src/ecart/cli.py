"""The `ecart` command."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecart.cart import Cart
from ecart.catalog import FileCatalog
from ecart.errors import EcartError
from ecart.http.views import cart_view
from ecart.model import CartSnapshot
from ecart.money import check_currency, display_text
from ecart.operations import QUARTER_HOUR
from ecart.service.run import Options, engine_url, serve


def _default_data_dir() -> Path:
    """The folder that the XDG Base Directory Specification gives an application's data."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "ecart"


_WHERE = (
    click.option(
        "--redis-url",
        envvar="ECART_REDIS_URL",
        metavar="URL",
        help="Where the carts are: redis://, rediss://, unix:// or valkey://. "
        "Without it, in the embedded engine.",
    ),
    click.option(
        "--data-dir",
        envvar="ECART_DATA_DIR",
        type=click.Path(path_type=Path, file_okay=False),
        default=_default_data_dir,
        show_default="~/.local/share/ecart",
        help="Folder of the embedded engine and of the session secret.",
    ),
    click.option(
        "--engine",
        envvar="ECART_ENGINE",
        default="auto",
        show_default=True,
        help="Embedded engine: auto, valkey, redis, or the path of a server.",
    ),
)


def _where(command: Any) -> Any:
    for option in reversed(_WHERE):
        command = option(command)
    return command


class _Group(click.Group):
    """Shows errors of ecart as one line and exits with 1; a stack trace helps no operator."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EcartError as error:
            click.echo(f"ecart: {printable(str(error))} [{error.code}]", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecart", prog_name="ecart")
def main() -> None:
    """The shopping cart that never loses an item.

    Exit codes: 0 done, 1 refused or failed (the message ends in the error's code), 2 wrong usage.
    """


@main.command("serve")
@click.option("--host", envvar="ECART_HOST", default="127.0.0.1", show_default=True)
@click.option(
    "--port",
    envvar="ECART_PORT",
    type=click.IntRange(1, 65_535),
    default=8000,
    show_default=True,
)
@click.option(
    "--workers",
    envvar="ECART_WORKERS",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes that serve; all share one engine.",
)
@_where
@click.option(
    "--fsync",
    envvar="ECART_FSYNC",
    type=click.Choice(["always", "everysec"]),
    default="always",
    show_default=True,
    help="When the embedded engine syncs to disk; everysec is faster and can lose a second.",
)
@click.option(
    "--catalog",
    envvar="ECART_CATALOG",
    type=click.Path(dir_okay=False),
    help="CSV or JSON file of products; without it, a sample.",
)
@click.option("--currency", envvar="ECART_CURRENCY", default="USD", show_default=True)
@click.option(
    "--ttl",
    envvar="ECART_TTL",
    type=click.IntRange(1, 365 * 24 * 3600),
    default=604_800,
    show_default=True,
    help="Seconds that a cart lives after its last change.",
)
@click.option(
    "--trusted-origin",
    "trusted_origins",
    envvar="ECART_TRUSTED_ORIGINS",
    multiple=True,
    metavar="ORIGIN",
    help="A site whose pages may change carts, beside the service's own; may be repeated.",
)
@click.option(
    "--hold",
    envvar="ECART_HOLD",
    type=click.IntRange(1, 24 * 3600),
    default=QUARTER_HOUR,
    show_default=True,
    help="Seconds that a check-out holds the cart.",
)
@click.option(
    "--keep-additions",
    envvar="ECART_KEEP_ADDITIONS",
    is_flag=True,
    help="Keep what is added during a check-out for the next order, instead of refusing it.",
)
def serve_command(**options: Any) -> None:
    """Serve the HTTP API.

    ECART_SECRET holds the session secrets, the signing one first; ECART_OFFICE_KEYS the keys of
    the back office, whose routes are not there without one. Both are lists with commas.
    """
    check_currency(options["currency"])
    if options["catalog"] is not None:
        FileCatalog(options["catalog"], currency=options["currency"]).lookup(())
    secrets: dict[str, Any] = {
        "secret": os.environ.get("ECART_SECRET"),
        "office_keys": os.environ.get("ECART_OFFICE_KEYS"),
    }
    serve(Options(**secrets, **options))


@main.command()
@click.argument("cart_id")
@_where
@click.option("--json", "as_json", is_flag=True, help="The cart as the HTTP API shows it.")
def show(cart_id: str, as_json: bool, **where: Any) -> None:
    """Show a cart."""
    with engine_url(Options(**where)) as (url, _):
        cart = Cart(cart_id, url).get()
    if as_json:
        click.echo(printable_json(msgspec.json.encode(cart_view(cart))))
    elif cart.exists:
        Console().print(cart_table(cart))
    if not cart.exists:
        click.echo(f"ecart: there is no cart {printable(cart_id)!r} [cart_not_found]", err=True)
        sys.exit(1)


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


def printable_json(document: bytes) -> str:
    """The same JSON, indented, with what is not printable as JSON itself escapes it."""
    text = msgspec.json.format(document, indent=2).decode()
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def printable(text: str) -> str:
    """Text whose control characters are spelled out, so that none reaches the terminal."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )
