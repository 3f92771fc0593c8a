"""Provisional carts: one whose first change came without a session has a short time to live.

Most requests without a session are a robot's, and never come again. A visitor who does come again
with the session gets the cart's full time to live, with the next change or the next read of it.
That read is the only one that writes (decision 28).
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


def provisional_settings(settings: HttpSettings) -> HttpSettings:
    """The settings for a session that the client does not have yet: its cart is provisional."""
    early_ms = settings.first_ttl_ms
    if not early_ms:
        return settings
    return replace(settings, rules=replace(settings.rules, ttl_ms=early_ms))


def is_provisional(cart: CartSummary, settings: HttpSettings) -> bool:
    """Whether a cart that is read in a known session still has the short time to live."""
    if cart.ttl_ms == settings.rules.ttl_ms:  # as nearly all
        return False
    early_ms = settings.first_ttl_ms
    is_early = early_ms and cart.ttl_ms == early_ms and not cart.ttl_pinned
    return bool(is_early) and cart.exists and cart.state != "merging"


def extend_lifetime(cart: SomeCart, settings: HttpSettings) -> Flow[SomeCart]:
    """Gives a provisional cart its full time to live, and returns it as it is then.

    If the store cannot do that, the cart is returned as it is; the next read tries again.
    """
    prolong = Prolong(early_ms=settings.first_ttl_ms, rules=settings.rules)
    try:
        yield from perform(cart.cart_id, prolong)
    except StoreError as error:
        _log.warning("a cart still ends early: %s", error)
        return cart
    return replace(cart, ttl_ms=settings.rules.ttl_ms)
