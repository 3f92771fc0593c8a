"""Carts of first visits: those whose first change came without a session end early.

A visitor whose session is seen again is no passer-by: the next change gives the cart its full
life, and so does a look at it. That look is the only one that writes (decision 28).
"""

from __future__ import annotations

import logging
from typing import TypeVar

from msgspec.structs import replace

from ecart.errors import StoreError
from ecart.flows import Flow, perform
from ecart.http.settings import HttpSettings
from ecart.model import CartSummary
from ecart.operations import Prolong

SomeCart = TypeVar("SomeCart", bound=CartSummary)

_log = logging.getLogger("ecart.http")


def of_first_visit(settings: HttpSettings) -> HttpSettings:
    """The settings for a session that the client does not know yet: what it makes ends early."""
    early_ms = settings.first_ttl_ms
    if not early_ms:
        return settings
    return replace(settings, rules=replace(settings.rules, ttl_ms=early_ms))


def ends_early(cart: CartSummary, settings: HttpSettings) -> bool:
    """Whether a cart that a known session looks at was to end early."""
    if cart.ttl_ms == settings.rules.ttl_ms:  # as nearly all
        return False
    early_ms = settings.first_ttl_ms
    is_early = early_ms and cart.ttl_ms == early_ms and not cart.ttl_pinned
    return bool(is_early) and cart.exists and cart.state != "merging"


def seen_again(cart: SomeCart, settings: HttpSettings) -> Flow[SomeCart]:
    """The cart, which was to end early, given its full life.

    If the store cannot do that, the cart is shown as it is; the next look tries again.
    """
    prolong = Prolong(early_ms=settings.first_ttl_ms, rules=settings.rules)
    try:
        yield from perform(cart.cart_id, prolong)
    except StoreError as error:
        _log.warning("a cart still ends early: %s", error)
        return cart
    return replace(cart, ttl_ms=settings.rules.ttl_ms)
