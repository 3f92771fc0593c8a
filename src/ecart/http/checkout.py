"""The shopper's check-out: begin it, or release the cart again. The back office completes it."""

from __future__ import annotations

import msgspec

from ecart.errors import VersionConflictError
from ecart.flows import Flow, begin_checkout, perform
from ecart.http.conditional import entity_tag
from ecart.http.guards import check_empty
from ecart.http.handlers import JSON, change_cart, conflict_response, terms_of
from ecart.http.messages import Request, Response
from ecart.http.settings import HttpSettings
from ecart.http.views import CheckoutView, cart_view
from ecart.operations import GetSummary, ReleaseCheckout


def start_checkout(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Holds the cart and hands over what is to be ordered, with the id to order it under."""
    check_empty(request)
    terms = terms_of(request, settings.rules)
    cart_id = request.session.cart_id
    try:
        held = yield from begin_checkout(
            cart_id, settings.hold_seconds, settings.keep_additions, terms
        )
    except VersionConflictError as error:
        return (yield from conflict_response(error, cart_id, settings.rules))
    view = CheckoutView(held.checkout_id, held.deadline, cart_view(held.cart))
    headers = {**JSON, "ETag": entity_tag(held.cart)}
    if held.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(status=200, headers=headers, body=msgspec.json.encode(view))


def release_checkout(request: Request, settings: HttpSettings) -> Flow[Response]:
    """Opens the cart again, as it is."""
    summary = yield from perform(request.session.cart_id, GetSummary(rules=settings.rules))
    # Without one this is refused, unless it repeats a release by its Idempotency-Key.
    checkout_id = summary.lock.checkout_id if summary.lock else "none"
    change = ReleaseCheckout(checkout_id=checkout_id, **terms_of(request, settings.rules))
    return (yield from change_cart(request.session.cart_id, change))
