"""`ecart purge`."""

from __future__ import annotations

import sys

import click
import msgspec

from ecart.cart import Cart
from ecart.errors import EcartError
from ecart.model import check_cart_id
from ecart_server.app.deployment_check import check_deployment
from ecart_server.app.location import CartLocation
from ecart_server.cli.location_options import takes_location
from ecart_server.cli.reports import pluralize, print_report
from ecart_server.cli.terminal import one_line


class _Purged(msgspec.Struct):
    """The outcome for each cart that was named."""

    purged: list[str] = []
    not_there: list[str] = []
    failed: dict[str, str] = {}


@click.command("purge")
@click.argument("cart_ids", nargs=-1, required=True, metavar="CART_ID...")
@takes_location
@click.option("--yes", is_flag=True, help="Do not ask first.")
@click.option("--json", "as_json", is_flag=True, help="What became of each, as JSON.")
def purge_command(
    cart_ids: tuple[str, ...], location: CartLocation, yes: bool, as_json: bool
) -> None:
    """Erase carts and every trace of them, as on a request to be forgotten.

    A cart that is not there needs no erasing, and is no error.
    """
    for cart_id in cart_ids:
        check_cart_id(cart_id)
    if not yes:
        _confirm(cart_ids)
    report = _purge(dict.fromkeys(cart_ids), location)
    for cart_id, why in report.failed.items():
        click.echo(f"{one_line(cart_id)!r} was not purged: {one_line(why)}", err=True)
    lines = [f"{pluralize(len(report.purged), 'cart')} purged."]
    if report.not_there:
        lines.append(f"Not there: {', '.join(map(one_line, report.not_there))}")
    print_report(report, lines, as_json)
    sys.exit(1 if report.failed else 0)


def _confirm(cart_ids: tuple[str, ...]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: use --yes")
    shown = ", ".join(map(one_line, cart_ids[:10])) + (", ..." if len(cart_ids) > 10 else "")
    what = pluralize(len(cart_ids), "cart")
    click.confirm(f"Erase {what} for good ({shown})?", abort=True, err=True)


def _purge(cart_ids: dict[str, None], location: CartLocation) -> _Purged:
    report = _Purged()
    with location.engine_url() as url:
        check_deployment(url, location.keys)
        with location.store(url) as store:
            for cart_id in cart_ids:
                _purge_one(Cart(cart_id, store), report)
    return report


def _purge_one(cart: Cart, report: _Purged) -> None:
    try:
        # A cart that is gone or merged has records to be erased, too, and the index may still
        # have the id of one that has expired.
        there = report.purged if cart.summary().epoch else report.not_there
        cart.purge()
        there.append(cart.cart_id)
    except EcartError as error:
        report.failed[cart.cart_id] = f"{error} [{error.code}]"
