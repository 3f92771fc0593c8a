"""Examples of the HTTP contract: a request of each route, and an item as it is shown.

The routes are those of the contract's own tables, so that a new one is tried by every suite that
takes its requests from here. A route whose body has no example below fails.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ecart.http import bodies, routes
from ecart.http.routes import SHOPPER_ROUTES, Route

EVERY_ROUTE: tuple[Route, ...] = tuple(
    route
    for table in vars(routes).values()
    if isinstance(table, tuple) and all(isinstance(entry, Route) for entry in table)
    for route in table
)
BODIES: dict[Any, dict[str, Any] | None] = {
    None: None,
    bodies.AddItemBody: {"sku": "banana"},
    bodies.SetQuantityBody: {"quantity": 9},
    bodies.SetLineQuantityBody: {"line_id": "{line_id}", "quantity": 9},
    bodies.MergeBody: {"source": "{cart_id}"},
    bodies.CompleteCheckoutBody: {"order_id": "order-1"},
}
"""A body that changes a cart with one unit of `{line_id}`, by the type of the route's body."""


class Example(NamedTuple):
    """A request, as `Shopper.request` takes it."""

    method: str
    target: str
    options: dict[str, Any]


def example_of(route: Route, **ids: str) -> Example:
    """The request of a route, about the cart, line, check-out and operation that `ids` names."""
    body = BODIES[route.body]
    if body is None:
        return Example(route.method, route.path.format(**ids), {})
    named = {name: v.format(**ids) if isinstance(v, str) else v for name, v in body.items()}
    return Example(route.method, route.path.format(**ids), {"json": named})


def _of_apple(*routes: Route) -> list[Example]:
    return [example_of(route, line_id="apple", key="a-key") for route in routes]


_ABOUT_CART = [
    route
    for route in SHOPPER_ROUTES
    if route.access == "session" and route.path not in (routes.CHECKOUT_PATH, routes.OPERATION_PATH)
]
READS = _of_apple(*(route for route in _ABOUT_CART if route.method == "GET"))
CHANGES = _of_apple(*(route for route in _ABOUT_CART if route.method != "GET"))
"""Each way that a shopper has to change a cart with one apple, but for check-outs."""
CHANGES_NAMED = [f"{change.method} {change.target}" for change in CHANGES]
BEGIN_CHECKOUT = Example("POST", routes.CHECKOUT_PATH, {})
RELEASE_CHECKOUT = Example("DELETE", routes.CHECKOUT_PATH, {})
SET_TO_ZERO = [
    Example("PATCH", "/cart/items/apple", {"json": {"quantity": 0}}),
    Example("PATCH", "/cart/items", {"json": {"line_id": "apple", "quantity": 0}}),
]


def item(sku: str, quantity: int = 1, **shown: Any) -> dict[str, Any]:
    """A line as the API shows it: what `shown` does not name is as in a line of a bare SKU."""
    bare = {
        "id": sku,
        "sku": sku,
        "quantity": quantity,
        "unit_price": None,
        "subtotal": None,
        "title": None,
        "options": {},
        "details": None,
    }
    assert shown.keys() <= bare.keys()
    return bare | shown
