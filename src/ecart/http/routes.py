"""The table of routes: what the router, the integrations and the OpenAPI document are made from."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ecart.flows import Flow
from ecart.http import handlers
from ecart.http.messages import Request, Response
from ecart.http.problems import HttpError
from ecart.http.settings import HttpSettings

Handler = Callable[[Request, HttpSettings], Flow[Response]]

ITEM_PATH = "/cart/items/{line_id}"


class Route(msgspec.Struct, frozen=True):
    """One method of one path.

    `answers` names the view that a 200 carries, `codes` the refusals, `body` what is to be sent.
    """

    method: str
    path: str
    handler: Handler
    answers: str
    codes: tuple[str, ...] = ()
    body: str = ""
    media: str = "application/json"


_ANY_CHANGE = (
    "invalid_header", "cross_site_request", "cart_locked", "stale_operation", "version_conflict",
    "idempotency_key_reused", "too_many_operations", "outcome_unknown", "body_too_large",
    "request_timeout",
)  # fmt: skip
_ANY_BODY = (
    "invalid_json", "unsupported_media_type", "invalid_body", "unknown_field",
    "missing_field", "invalid_quantity", "quantity_limit_exceeded", "amount_out_of_range",
    "catalog_unavailable",
)  # fmt: skip

SHOPPER_ROUTES = (
    Route("GET", "/cart", handlers.get_cart, "CartView"),
    Route("DELETE", "/cart", handlers.clear_cart, "CartView", _ANY_CHANGE),
    Route("GET", "/cart/summary", handlers.get_summary, "SummaryView"),
    Route(
        "POST",
        "/cart/items",
        handlers.add_item,
        "CartView",
        (
            *_ANY_CHANGE, *_ANY_BODY, "invalid_sku", "unknown_sku", "invalid_options",
            "line_limit_exceeded", "currency_mismatch",
        ),
        "AddItem",
    ),
    Route(
        "PATCH",
        ITEM_PATH,
        handlers.set_quantity,
        "CartView",
        (*_ANY_CHANGE, *_ANY_BODY, "line_not_found"),
        "SetQuantity",
    ),
    Route(
        "DELETE", ITEM_PATH, handlers.remove_line, "CartView", (*_ANY_CHANGE, "line_not_found")
    ),
)  # fmt: skip

HEALTH_ROUTES = (
    Route("GET", "/healthz", handlers.is_alive, ""),
    Route("GET", "/readyz", handlers.is_ready, ""),
)


class Router:
    """Finds the route of a request in a table."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self.routes = routes
        self._methods: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._methods.setdefault(route.path, {})[route.method] = route

    def find(self, method: str, path: str) -> Route | None:
        """The route; None for OPTIONS, which is answered by `allowed`.

        Raises:
            HttpError: `not_found`, or `method_not_allowed` with `Allow`.
        """
        methods = self._methods.get(_template(path))
        if methods is None:
            raise HttpError("not_found", "there is nothing here")
        if method == "OPTIONS":
            return None
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allow = {"Allow": self.allowed(path)}
            raise HttpError("method_not_allowed", "this cannot be done here", headers=allow)
        return route

    def allowed(self, path: str) -> str:
        """The value of `Allow` for a path that is known."""
        methods = set(self._methods[_template(path)]) | {"OPTIONS"}
        return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _template(path: str) -> str:
    # A SKU may hold slashes, so all that follows is the line's id.
    return ITEM_PATH if path.startswith("/cart/items/") and len(path) > 12 else path
