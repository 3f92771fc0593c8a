"""The names of E-Cart 1.0 over the carts of today: `from ecart.ecart import Cart`.

A thin dress: a cart filled through this class is read through `ecart.Cart`, and the other way
round. Amounts are exact `Decimal`; docs/moving-from-e-cart.md lists what else has changed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ecart import cart as carts
from ecart import flows
from ecart.errors import LineNotFoundError
from ecart.model import LineItem
from ecart.money import Amount
from ecart.operations import WEEK, Ttl
from ecart.operations.arguments import check_quantity
from ecart.store import run, steps_on

__all__ = ["Cart"]


class Cart:
    """The cart of one user. `ttl` is in seconds.

    Raises:
        TypeError: `redis_connection` is no Redis client, URL or store.
        InvalidInputError: a `user_id` or `ttl` that no cart can have.
    """

    def __init__(self, user_id: str | int, redis_connection: Any, ttl: Ttl = WEEK) -> None:
        self._cart = carts.Cart(user_id, redis_connection, ttl=ttl)
        self._ttl = ttl
        self.user_id = user_id

    def __repr__(self) -> str:
        return f"Cart({self.user_id!r})"

    def add(self, product_id: str, unit_cost: Amount, quantity: int = 1, **extra: Any) -> bool:
        """Adds units of a product; `extra`, where given, replaces what was kept with it."""
        # Checked before Cart.add does: its message names unit_price, which is `extra` here.
        check_quantity(quantity, at_least=1, limit=self._cart.rules.max_quantity)
        self._cart.add(str(product_id), quantity, unit_price=unit_cost, details=extra or None)
        return True

    def remove(self, product_id: str) -> bool:
        """Takes the product out; False if it was not there."""
        try:
            self._cart.remove(str(product_id))
        except LineNotFoundError:
            return False
        return True

    def contains(self, product_id: str) -> bool:
        """Whether the cart has the product."""
        return self._cart.contains(str(product_id))

    def get_product(self, product_id: str) -> dict[str, Any]:
        """The product's `unit_cost`, `quantity` and extra data; `{}` if it is not there."""
        line = self._cart.line(str(product_id))
        return {} if line is None else _product(line)

    def get(self) -> dict[str, dict[str, Any]]:
        """All products by their ids, in the order in which they were added."""
        return {line.line_id: _product(line) for line in self._cart.get().lines}

    def total_cost(self) -> Decimal:
        """The exact sum of unit cost × quantity."""
        return self._cart.summary().subtotal

    def count(self) -> int:
        """How many different products."""
        return self._cart.summary().line_count

    def quantity(self) -> int:
        """How many units in all; 0 for an empty cart."""
        return self._cart.summary().total_quantity

    def get_ttl(self) -> int:
        """Seconds until the cart expires; -1 for never, -2 for no cart, as Redis answers."""
        seconds = self._cart.ttl()
        return -1 if seconds is None else seconds or -2

    def set_ttl(self, ttl: Ttl) -> bool:
        """Gives the cart another time to live; False if there is no cart."""
        return self._cart.set_ttl(ttl).summary.exists

    def destroy(self) -> bool:
        """Ends the cart; False if there was none."""
        existed = self._cart.summary().exists
        self._cart.destroy()
        return existed

    def copy(self, user_id: str | int) -> Cart:
        """Puts these products into the cart of another user, which keeps its others; returns it."""
        other = Cart(user_id, self._cart.store, self._ttl)
        source, target = self._cart, other._cart
        run(flows.copy(source.cart_id, target.cart_id, source.rules), steps_on(source.store))
        return other


def _product(line: LineItem) -> dict[str, Any]:
    return {**(line.details or {}), "unit_cost": line.unit_price, "quantity": line.quantity}
