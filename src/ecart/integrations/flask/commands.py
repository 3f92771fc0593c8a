"""`flask ecart`: shows carts and pings the store, with the settings of the app."""

from __future__ import annotations

import json
import time

import click
import flask
import msgspec
from flask.cli import AppGroup

from ecart.errors import EcartError
from ecart.http.views import cart_view
from ecart.integrations.flask.state import host_of
from ecart.operations import GetSummary

commands = AppGroup("ecart", help="The carts of this app.")


@commands.command()
@click.argument("cart_id")
def show(cart_id: str) -> None:
    """Show a cart, as the HTTP API does. That of a user is named user.<id>."""
    try:
        cart = host_of(flask.current_app).cart(cart_id).get()
    except EcartError as error:
        raise _failure(error) from error
    if not cart.exists:
        raise click.ClickException(f"there is no cart {cart_id!r} [cart_not_found]")
    # In ASCII: text of shoppers must not reach the terminal as it is.
    click.echo(json.dumps(msgspec.to_builtins(cart_view(cart)), indent=2))


@commands.command()
def ping() -> None:
    """Ask the store for an answer."""
    host = host_of(flask.current_app)
    began = time.perf_counter()
    try:
        host.store.execute("readyz", GetSummary(rules=host.settings.rules))
    except EcartError as error:
        raise _failure(error) from error
    click.echo(f"the store answers, in {(time.perf_counter() - began) * 1000:.1f} ms")


def _failure(error: EcartError) -> click.ClickException:
    return click.ClickException(f"{ascii(str(error))[1:-1]} [{error.code}]")
