"""The handlers of routes, as flows: read the request, perform the operation, show the cart."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from ecart.catalog.product import Product, check_choice, limited
from ecart.errors import (
    CartMergedError,
    InvalidLineIdError,
    InvalidOperationIdError,
    LineNotFoundError,
    UnknownSkuError,
    VersionConflictError,
)
from ecart.flows import Flow, perform, quote
from ecart.http.bodies import AddItemBody, SetLineQuantityBody, SetQuantityBody
from ecart.http.conditional import (
    entity_tag,
    expected_versions,
    fingerprint,
    idempotency_key,
    is_unchanged,
)
from ecart.http.guards import decode_body
from ecart.http.messages import Request, Response
from ecart.http.problems import HttpError, problem_response
from ecart.http.provisional import SomeCart, extend_lifetime, is_provisional
from ecart.http.settings import HttpSettings
from ecart.http.views import OperationView, cart_view, summary_view
from ecart.model import CartSummary, check_line_id, check_sku, sku_of
from ecart.operations import (
    Change,
    Clear,
    GetCart,
    GetOperation,
    GetSummary,
    RemoveLine,
    Rules,
    SetQuantity,
    make_add_item,
)
from ecart.operations.arguments import check_quantity

JSON = {"Content-Type": "application/json"}
ENCODER = msgspec.json.Encoder()


def read_cart(request: Request, settings: HttpSettings) -> Flow[Response]:
    """The cart of the session."""
    cart = _not_merged((yield from perform(request.session.cart_id, GetCart(rules=settings.rules))))
    if is_provisional(cart, settings):
        cart = yield from extend_lifetime(cart, settings)
    return _view_response(request, cart, cart_view)


def get_summary(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Counters and subtotal, for a badge; the lines are not loaded."""
    read = GetSummary(rules=settings.rules)
    cart = _not_merged((yield from perform(request.session.cart_id, read)))
    if is_provisional(cart, settings):
        cart = yield from extend_lifetime(cart, settings)
    return _view_response(request, cart, summary_view)


def add_item(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Adds to what is there: two requests of one apple are two apples."""
    body = decode_body(request, AddItemBody)
    sku = check_sku(body.sku)
    product = yield from _product(sku, settings)
    check_choice(product, body.options)
    rules = limited(settings.rules, product)
    terms = terms_of(request, rules)
    quantity = _integer(body.quantity)
    if type(quantity) is not int:  # AddItem's message names unit_price, which no request has
        check_quantity(quantity, at_least=1, limit=rules.max_quantity)
    return (
        yield from change_cart(
            request.session.cart_id,
            make_add_item(
                sku=sku,
                quantity=quantity,
                unit_price=product.unit_price,
                currency=product.currency,
                title=product.title,
                options=body.options,
                **terms,
            ),
        )
    )


def set_quantity(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Replaces the quantity of a line; 0 removes it."""
    line_id = _line_id(request.params["line_id"])
    body = decode_body(request, SetQuantityBody)
    return _set_quantity(request, settings, line_id, body.quantity)


def set_line_quantity(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Replaces the quantity of the line that the body names; 0 removes it."""
    body = decode_body(request, SetLineQuantityBody)
    return _set_quantity(request, settings, _line_id(body.line_id), body.quantity)


def _set_quantity(
    request: Request, settings: HttpSettings, line_id: str, quantity: Any
) -> Flow[Response]:
    product = yield from _product(sku_of(line_id), settings, is_in_cart=True)
    terms = terms_of(request, limited(settings.rules, product))
    change = SetQuantity(line_id=line_id, quantity=_integer(quantity), **terms)
    return (yield from change_cart(request.session.cart_id, change))


def remove_line(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Takes a line out of the cart."""
    line_id = _line_id(request.params["line_id"])
    change = RemoveLine(line_id=line_id, **terms_of(request, settings.rules))
    return (yield from change_cart(request.session.cart_id, change))


def clear_cart(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Empties the cart, which keeps its id."""
    return (
        yield from change_cart(request.session.cart_id, Clear(**terms_of(request, settings.rules)))
    )


def get_operation(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Whether the change of this name has reached the session's cart, and when."""
    operation_id = request.params["key"]
    try:
        read = GetOperation(operation_id=operation_id, rules=settings.rules)
    except InvalidOperationIdError as error:
        raise _no_operation() from error
    applied_at = yield from perform(request.session.cart_id, read)
    if applied_at is None:
        raise _no_operation()
    view = OperationView(operation_id, applied_at)
    return Response(status=200, headers=JSON, body=ENCODER.encode(view))


def _no_operation() -> HttpError:
    return HttpError(
        "operation_not_found",
        "no such change has reached this cart; repeat it with the same Idempotency-Key",
    )


def is_alive(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Whether the process answers."""
    return Response(status=200, headers=JSON, body=b'{"status":"ok"}')
    yield


def is_ready(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Whether the engine answers too; 503 if not."""
    yield from perform("readyz", GetSummary(rules=settings.rules))
    return Response(status=200, headers=JSON, body=b'{"status":"ready"}')


def _not_merged(cart: SomeCart) -> SomeCart:
    if cart.state == "merged" and cart.merge:
        raise CartMergedError(cart.merge.target_id)
    return cart


def _view_response(request: Request, cart: CartSummary, view: Any) -> Response:
    tag = entity_tag(cart)
    if is_unchanged(request, tag):
        return Response(status=304, headers={"ETag": tag})
    return Response(status=200, headers={**JSON, "ETag": tag}, body=ENCODER.encode(view(cart)))


def change_cart(cart_id: str, change: Change) -> Flow[Response]:
    """Performs a change that was made with `terms_of`, and responds with the cart."""
    try:
        done = yield from perform(cart_id, change)
    except VersionConflictError as error:
        return (yield from conflict_response(error, cart_id, change.rules))
    cart = done.cart
    headers = {**JSON, "ETag": entity_tag(cart)}
    if done.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(status=200, headers=headers, body=ENCODER.encode(cart_view(cart)))


def conflict_response(error: VersionConflictError, cart_id: str, rules: Rules) -> Flow[Response]:
    """The problem of a change that expected another version, with the cart as it is now."""
    current = yield from perform(cart_id, GetCart(rules=rules))
    refusal = problem_response(error, cart=cart_view(current))
    return replace(refusal, headers={**refusal.headers, "ETag": entity_tag(current)})


def terms_of(request: Request, rules: Rules) -> dict[str, Any]:
    """The arguments of a change that come from headers: its name, and the versions it expects."""
    key = idempotency_key(request)
    return {
        "rules": rules,
        "expected": expected_versions(request),
        "operation_id": key,
        "fingerprint": fingerprint(request) if key else "",
        "want_cart": True,
    }


def _line_id(line_id: Any) -> str:
    try:
        return check_line_id(line_id)
    except InvalidLineIdError as error:
        raise LineNotFoundError(line_id[:300] if isinstance(line_id, str) else "") from error


def _integer(number: Any) -> Any:
    """A number without a fraction as an int: to JSON Schema, `2.0` and `1e0` are integers."""
    return int(number) if type(number) is float and number.is_integer() else number


def _product(sku: str, settings: HttpSettings, is_in_cart: bool = False) -> Flow[Product]:
    """The product; without one, a line without price where that is allowed."""
    products = yield from quote(sku)
    if sku in products:
        return products[sku]
    if not settings.accept_unknown_skus and not is_in_cart:
        raise UnknownSkuError(sku)
    return Product(sku=sku, currency=settings.rules.currency)
