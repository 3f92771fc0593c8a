"""The badge: the counters and subtotal in a page's header, read when it is rendered."""

from __future__ import annotations

import logging
from functools import cached_property

from django.http import HttpRequest

from ecart.errors import StoreError
from ecart.integrations.django.state import host
from ecart.integrations.django.visitors import forget_session, session_of_request
from ecart.model import CartSummary
from ecart.money import display_text

_log = logging.getLogger("ecart.django")


class Badge:
    """`line_count`, `total_quantity`, `subtotal` and `currency`, in one small read.

    For a visitor without a cart nothing is read, and no session begins. If the engine fails, all
    are None, which is not 0 in a template: a page does not fail for its header.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def line_count(self) -> int | None:
        """The number of lines."""
        return None if self._summary is None else self._summary.line_count

    @property
    def total_quantity(self) -> int | None:
        """The number of units."""
        return None if self._summary is None else self._summary.total_quantity

    @property
    def subtotal(self) -> str | None:
        """The sum of all lines that have a price, with the currency's digits."""
        read = self._summary
        return None if read is None else display_text(read.subtotal, read.currency)

    @property
    def currency(self) -> str | None:
        """The ISO 4217 code of the subtotal."""
        return None if self._summary is None else self._summary.currency

    @cached_property
    def _summary(self) -> CartSummary | None:
        here = host()
        try:
            session = session_of_request(self._request)
            if session is None:
                return CartSummary(cart_id="", currency=here.settings.rules.currency)
            return here.cart(session, lambda: forget_session(self._request)).summary()
        except StoreError as error:
            _log.warning("the badge is empty: %s", error)
            return None
