"""How a cart looks in JSON."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from clients.examples import item
from ecart.http.views import cart_view
from ecart.model import CartSnapshot, LineItem


@pytest.mark.parametrize("options", [{}, {"size": "M"}])
@pytest.mark.parametrize("details", [None, {}, {"gift": True}])
def test_a_line_is_shown_with_what_was_chosen_and_kept(
    options: dict[str, object], details: dict[str, object] | None
) -> None:
    """Each as it is, also next to a line of the same kind without it."""
    line = LineItem("a", 2, Decimal("0.5"), 1, "Apple", options, details)  # type: ignore[arg-type]
    plain = LineItem("a", 2, Decimal("0.5"), 1, "Apple")

    shown = msgspec.to_builtins(cart_view(CartSnapshot("c", "USD", lines=(plain, line))).items)

    parts = {"unit_price": "0.50", "subtotal": "1.00", "title": "Apple"}
    assert shown == [
        item("a", 2, **parts, options={}, details=None),
        item("a", 2, **parts, options=options, details=details),
    ]


def test_the_currency_says_how_an_amount_is_written() -> None:
    """The same line in two currencies has the digits of each; without a price it has none."""
    lines = (LineItem("a", 3, Decimal("2.5")), LineItem("b", 1))

    dollars, yen = (cart_view(CartSnapshot("c", each, lines=lines)) for each in ("USD", "JPY"))

    assert [(item.unit_price, item.subtotal) for item in dollars.items] == [
        ("2.50", "7.50"),
        (None, None),
    ]
    assert [item.unit_price for item in yen.items] == ["2.5", None]
    assert [message.code for message in dollars.messages] == ["price_missing"]
