"""`manage.py ecart`: shows carts and pings the store, with the settings of the site."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ecart.errors import EcartError
from ecart.http.views import cart_view
from ecart.integrations.django.state import host
from ecart.operations import GetSummary


class Command(BaseCommand):
    """`show` and `ping`."""

    help = "The carts of this site."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the two subcommands."""
        commands = parser.add_subparsers(dest="command", required=True)
        show = commands.add_parser("show", help="Show a cart, as the HTTP API does.")
        show.add_argument("cart_id", help="That of a user is named user.<id>.")
        commands.add_parser("ping", help="Ask the store for an answer.")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        """Runs the subcommand."""
        try:
            output = _ping() if command == "ping" else _show(options["cart_id"])
        except EcartError as error:
            raise CommandError(f"{ascii(str(error))[1:-1]} [{error.code}]") from error
        self.stdout.write(output)


def _show(cart_id: str) -> str:
    cart = host().cart(cart_id).get()
    if not cart.exists:
        raise CommandError(f"there is no cart {cart_id!a} [cart_not_found]")
    # In ASCII: text of shoppers must not reach the terminal as it is.
    return json.dumps(msgspec.to_builtins(cart_view(cart)), indent=2)


def _ping() -> str:
    here = host()
    began = time.perf_counter()
    here.store.execute("readyz", GetSummary(rules=here.settings.rules))
    return f"the store answers, in {(time.perf_counter() - began) * 1000:.1f} ms"
