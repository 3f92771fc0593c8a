"""The back office: what the shop itself does to any cart, with a key instead of a session."""

from __future__ import annotations

from typing import Any

import msgspec

from ecart import flows
from ecart.errors import CheckoutNotOpenError, InvalidCartIdError, InvalidOperationIdError
from ecart.flows import Flow, perform
from ecart.http.bodies import CompleteCheckoutBody, MergeBody
from ecart.http.conditional import entity_tag
from ecart.http.guards import check_empty, decode_body
from ecart.http.handlers import JSON, change_cart
from ecart.http.login import is_of_user, sign_in, sign_out, user_of
from ecart.http.messages import Request, Response
from ecart.http.problems import HttpError
from ecart.http.settings import HttpSettings
from ecart.http.views import MergeView, SignInView, cart_view
from ecart.model import check_cart_id
from ecart.operations import CompleteCheckout, EndCheckout, GetCart, GetSummary, ReleaseCheckout
from ecart.operations.arguments import check_token


def show_cart(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Any cart, by its id."""
    cart = yield from perform(_cart_id(request), GetCart(rules=settings.rules))
    if not cart.exists:
        raise _no_cart()
    headers = {**JSON, "ETag": entity_tag(cart)}
    return Response(status=200, headers=headers, body=msgspec.json.encode(cart_view(cart)))


def purge_cart(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Erases a cart and every trace of it; done already is done too."""
    yield from flows.purge(_cart_id(request), rules=settings.rules)
    return Response(status=204)


def merge_cart(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Moves the lines of the cart `source` into this one, once, and ends that cart."""
    body = decode_body(request, MergeBody)
    target = _cart_id(request)
    if not isinstance(body.source, str):  # the library takes an int, too
        raise InvalidCartIdError("a cart id is text of 1 to 256 characters")
    source = check_cart_id(body.source)
    report = yield from flows.merge(source, target, body.policy, settings.rules)
    cart = yield from perform(target, GetCart(rules=settings.rules))
    view = MergeView(
        added=report.added,
        raised=report.raised,
        clamped=report.clamped,
        left=report.left,
        replayed=report.replayed,
        cart=cart_view(cart),
    )
    headers = {**JSON, "ETag": entity_tag(cart)}
    return Response(status=200, headers=headers, body=msgspec.json.encode(view))


def begin_session(request: Request, settings: HttpSettings) -> Flow[Response]:
    """A log-in: merges the cart of the sent `Cart-Token` into this user's, and gives the user's."""
    check_empty(request)
    cart_id = _cart_id(request)
    if not is_of_user(cart_id):
        raise _no_cart()
    signed_in = yield from sign_in(request.session, user_of(cart_id), settings)
    cart = yield from perform(cart_id, GetCart(rules=settings.rules))
    view = SignInView(
        added=signed_in.report.added,
        raised=signed_in.report.raised,
        clamped=signed_in.report.clamped,
        left=signed_in.report.left,
        replayed=signed_in.report.replayed,
        refused=signed_in.refused,
        cart=cart_view(cart),
    )
    headers = {**JSON, "ETag": entity_tag(cart)}
    return Response(
        status=200,
        headers=headers,
        body=msgspec.json.encode(view),
        keep_session=signed_in.session,
    )


def end_session(request: Request, settings: HttpSettings) -> Flow[Response]:
    """A log-out: ends the session of the sent `Cart-Token`; ended already is ended too."""
    check_empty(request)
    cart_id, session = _cart_id(request), request.session
    if session.is_new or session.cart_id != cart_id or not is_of_user(cart_id):
        raise HttpError("cart_not_found", "the Cart-Token is not one of this user's session")
    yield from sign_out(session, settings)
    return Response(status=204)


def complete_checkout(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Takes what was ordered out of the cart, and only that. A repeat changes nothing."""
    body = decode_body(request, CompleteCheckoutBody)
    return (yield from _end(request, settings, CompleteCheckout, order_id=body.order_id))


def release_held_cart(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Opens the cart again, as it is. A repeat changes nothing."""
    check_empty(request)
    return (yield from _end(request, settings, ReleaseCheckout))


def _end(
    request: Request, settings: HttpSettings, kind: type[EndCheckout], **arguments: Any
) -> Flow[Response]:
    cart_id = _cart_id(request)
    terms = {"rules": settings.rules, "want_cart": True, **arguments}
    try:
        change = kind(checkout_id=_checkout_id(request), **terms)
        return (yield from change_cart(cart_id, change))
    except CheckoutNotOpenError:
        cart = yield from perform(cart_id, GetSummary(rules=settings.rules))
        if not cart.exists:
            raise _no_cart() from None
        raise


def _checkout_id(request: Request) -> str:
    checkout_id = request.params["checkout_id"]
    try:
        check_token(checkout_id)
    except InvalidOperationIdError as error:
        raise CheckoutNotOpenError from error
    return checkout_id


def _cart_id(request: Request) -> str:
    try:
        return check_cart_id(request.params["cart_id"])
    except InvalidCartIdError as error:
        raise _no_cart() from error


def _no_cart() -> HttpError:
    return HttpError("cart_not_found", "there is no such cart")
