"""The table of routes, from which the router, the integrations and OpenAPI are made."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import msgspec

from ecart.flows import Flow
from ecart.http import back_office, checkout, handlers
from ecart.http.bodies import (
    AddItemBody,
    CompleteCheckoutBody,
    MergeBody,
    SetLineQuantityBody,
    SetQuantityBody,
)
from ecart.http.messages import Request, Response
from ecart.http.problems import HttpError
from ecart.http.settings import HttpSettings

Handler = Callable[[Request, HttpSettings], Flow[Response]]

ITEM_PATH = "/cart/items/{line_id}"
CHECKOUT_PATH = "/cart/checkout"
OPERATION_PATH = "/cart/operations/{key}"
BACK_OFFICE_PATH = "/carts/{cart_id}"
HOLD_PATH = BACK_OFFICE_PATH + "/checkout/{checkout_id}"


class Route(msgspec.Struct, frozen=True):
    """One method of one path.

    `answers` names the view in a 200 ("": it is a 204), and `codes` are those of the errors.
    `body` is what is to be sent. `access` is for the cart of the session, for the holder of a
    back-office key, or for all. `operation_id` is that of the OpenAPI document, where it is not
    the handler's name.
    """

    method: str
    path: str
    handler: Handler
    answers: str
    codes: tuple[str, ...] = ()
    body: type[msgspec.Struct] | None = None
    media: str = "application/json"
    access: Literal["session", "back_office", "all"] = "session"
    operation_id: str = ""

    @property
    def shows_cart(self) -> bool:
        """Whether a 200 has a cart, and with it the `ETag` of its state."""
        return self.access != "all" and self.answers not in ("", "OperationView")


_ANY_CHANGE = (
    "invalid_header", "cross_site_request", "cart_locked", "cart_merging", "cart_merged",
    "stale_operation", "version_conflict",
    "idempotency_key_reused", "too_many_operations", "outcome_unknown", "body_too_large",
    "request_timeout", "rate_limited",
)  # fmt: skip
_ANY_JSON = (
    "invalid_json", "unsupported_media_type", "invalid_body", "unknown_field", "missing_field",
)  # fmt: skip
_EMPTY_JSON = ("invalid_json", "unsupported_media_type", "invalid_body", "unknown_field")
_ANY_BODY = (
    *_ANY_JSON, "invalid_quantity", "quantity_limit_exceeded", "amount_out_of_range",
    "catalog_unavailable",
)  # fmt: skip
_WITH_KEY = (
    "unauthorized", "cart_not_found", "cart_locked", "cart_merging", "cart_merged",
    "stale_operation", "too_many_operations", "outcome_unknown", "body_too_large",
    "request_timeout", "cross_site_request",
)  # fmt: skip

SHOPPER_ROUTES = (
    Route("GET", "/cart", handlers.read_cart, "CartView", operation_id="get_cart"),
    Route("DELETE", "/cart", handlers.clear_cart, "CartView", _ANY_CHANGE),
    Route("GET", "/cart/summary", handlers.get_summary, "SummaryView"),
    Route(
        "POST",
        "/cart/items",
        handlers.add_item,
        "CartView",
        (
            *_ANY_CHANGE, *_ANY_BODY, "invalid_sku", "unknown_sku", "invalid_options",
            "line_limit_exceeded", "line_too_large", "cart_too_large", "currency_mismatch",
        ),
        AddItemBody,
    ),
    Route(
        "PATCH",
        "/cart/items",
        handlers.set_line_quantity,
        "CartView",
        (*_ANY_CHANGE, *_ANY_BODY, "line_not_found"),
        SetLineQuantityBody,
    ),
    Route(
        "PATCH",
        ITEM_PATH,
        handlers.set_quantity,
        "CartView",
        (*_ANY_CHANGE, *_ANY_BODY, "line_not_found"),
        SetQuantityBody,
    ),
    Route(
        "DELETE", ITEM_PATH, handlers.remove_line, "CartView", (*_ANY_CHANGE, "line_not_found")
    ),
    Route(
        "GET", OPERATION_PATH, handlers.get_operation, "OperationView", ("operation_not_found",)
    ),
    Route(
        "POST", CHECKOUT_PATH, checkout.start_checkout, "CheckoutView",
        (*_ANY_CHANGE, *_EMPTY_JSON, "cart_empty", "checkout_not_open"),
        operation_id="begin_checkout",
    ),
    Route(
        "DELETE", CHECKOUT_PATH, checkout.release_checkout, "CartView",
        (*_ANY_CHANGE, "checkout_not_open"),
    ),
)  # fmt: skip

BACK_OFFICE_ROUTES = (
    Route(
        "GET",
        BACK_OFFICE_PATH,
        back_office.show_cart,
        "CartView",
        _WITH_KEY,
        access="back_office",
    ),
    Route(
        "DELETE", BACK_OFFICE_PATH, back_office.purge_cart, "", _WITH_KEY, access="back_office"
    ),
    Route(
        "POST",
        BACK_OFFICE_PATH + "/merge",
        back_office.merge_cart,
        "MergeView",
        (
            *_WITH_KEY, *_ANY_JSON, "currency_mismatch", "merge_refused", "version_conflict",
            "invalid_cart_id", "invalid_policy",
        ),
        MergeBody,
        access="back_office",
    ),
    Route(
        "POST",
        BACK_OFFICE_PATH + "/session",
        back_office.begin_session,
        "SignInView",
        (*_WITH_KEY, *_EMPTY_JSON),
        access="back_office",
    ),
    Route(
        "POST",
        BACK_OFFICE_PATH + "/session/end",
        back_office.end_session,
        "",
        (*_WITH_KEY, *_EMPTY_JSON),
        access="back_office",
    ),
    Route(
        "POST",
        HOLD_PATH + "/complete",
        back_office.complete_checkout,
        "CartView",
        (
            *_WITH_KEY, *_ANY_JSON, "checkout_not_open", "idempotency_key_reused",
            "invalid_operation_id",
        ),
        CompleteCheckoutBody,
        access="back_office",
    ),
    Route(
        "POST",
        HOLD_PATH + "/release",
        back_office.release_held_cart,
        "CartView",
        (*_WITH_KEY, *_EMPTY_JSON, "checkout_not_open"),
        access="back_office",
        operation_id="office_release_checkout",
    ),
)  # fmt: skip

HEALTH_ROUTES = (
    Route("GET", "/healthz", handlers.is_alive, "Health", access="all"),
    Route("GET", "/readyz", handlers.is_ready, "Health", access="all"),
)


class Router:
    """Looks up the route of a request."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._paths: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        self._plain = {(r.method, r.path): r for r in routes if "{" not in r.path}
        self.methods = ", ".join(sorted({"HEAD", "OPTIONS", *(route.method for route in routes)}))
        for route in routes:
            pattern_and_methods = self._paths.setdefault(route.path, (path_pattern(route.path), {}))
            pattern_and_methods[1][route.method] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route, and the values of the path's parameters.

        Raises:
            HttpError: `not_found`, or `method_not_allowed` with `Allow`.
        """
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain, {}
        allowed: set[str] = set()
        for pattern, methods in self._paths.values():
            match = pattern.fullmatch(path)
            if match is None:
                continue
            route = methods.get("GET" if method == "HEAD" else method)
            if route is not None:
                return route, match.groupdict()
            allowed |= methods.keys()
        if not allowed:
            raise HttpError("not_found", "there is nothing here")
        allow = ", ".join(sorted(allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())))
        raise HttpError("method_not_allowed", "this cannot be done here", headers={"Allow": allow})

    def body_of(self, request: Request) -> type[msgspec.Struct] | None:
        """The body that is declared for such a request, if there is one."""
        try:
            return self.find(request.method, request.path)[0].body
        except HttpError:
            return None


_ESCAPED_PARAMETER = re.compile(r"\\{(\w+)\\}")


def path_pattern(template: str) -> re.Pattern[str]:
    """What the paths of a template match; it takes time in proportion to a path's length."""
    return re.compile(_ESCAPED_PARAMETER.sub(_pattern_of, re.escape(template)), re.DOTALL)


def _pattern_of(parameter: re.Match[str]) -> str:
    characters = "." if may_hold_slashes(parameter[1]) else "[^/]"
    return f"(?P<{parameter[1]}>{characters}+)"


def may_hold_slashes(parameter: str) -> bool:
    """Whether a parameter of a path takes all that is not the rest of it, as SKUs and cart ids do.

    A template has at most one of these: two would be tried in every combination.
    """
    return parameter != "checkout_id"
