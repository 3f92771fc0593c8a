"""Renders the pages from what the API answers. Nothing here does I/O but reading the templates.

Every text of a cart or a catalog goes through Jinja's escaping, and no page has inline script or
style, so what is stored in a cart stays text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from ecart.http import Response
from ecart.http.views import CartView, ItemView
from ecart.model import Options
from ecart.operations import new_token
from ecart_server.pages.formatting import CURRENCY_SIGNS, option_value
from ecart_server.pages.templates import make_environment
from ecart_server.shop.assets import shop_assets
from ecart_server.shop.flash import Note
from ecart_server.shop.forms import option_fields
from ecart_server.shop.product_cards import Shelf, drawn

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = ("wire.js", "cart.js", "view.js", "live.js")

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "private, no-store",
    "Vary": "Cookie",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers say `Origin: null` of a form, which tells nothing of its page.
    "Referrer-Policy": "same-origin",
}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the shop page shows. `cart` is None while the engine is away."""

    token: str = ""
    mark: str = ""
    cart: CartView | None = None
    etag: str = ""
    shelf: Shelf | None = None
    is_catalog_away: bool = False
    note: Note | None = None
    now: datetime

    @property
    def cart_json(self) -> str:
        """The cart as the API shows it, for the page's script."""
        return "" if self.cart is None else msgspec.json.encode(self.cart).decode()

    @property
    def held_until(self) -> datetime | None:
        """Until when a check-out holds the cart, if one does."""
        hold = self.cart and self.cart.checkout
        return hold.expires_at if hold and hold.expires_at > self.now else None

    @property
    def is_held(self) -> bool:
        """Whether a check-out holds the cart."""
        return self.held_until is not None

    @property
    def warnings(self) -> Mapping[str, str]:
        """What the shopper should know of a line, by its id."""
        messages = self.cart.messages if self.cart else ()
        return {message.line_id: message.text for message in messages}

    @property
    def units(self) -> Mapping[str, int]:
        """Units in the cart by SKU."""
        units: dict[str, int] = {}
        for item in self.cart.items if self.cart else ():
            units[item.sku] = units.get(item.sku, 0) + item.quantity
        return units

    @property
    def blank(self) -> Page:
        """A page whose lines name no cart: from it the script's template is made."""
        return Page(now=self.now)

    @property
    def blank_item(self) -> ItemView:
        """The line that the script fills."""
        return ItemView("", "", 0, None, None, "", {}, None)

    def picture(self, sku: str) -> str:
        """Where the picture of a line is."""
        known = self.shelf.pictures.get(sku) if self.shelf else None
        return known or drawn(sku, shop_assets().version)


def shop_page(page: Page) -> Response:
    """The page of the shop; 503 while it cannot show the cart."""
    page = msgspec.structs.replace(page, mark=new_token())
    html = _environment().get_template("shop.html").render(
        page=page,
        scripts=SCRIPTS,
        signs_json=msgspec.json.encode(CURRENCY_SIGNS).decode(),
        pictures=drawn("", shop_assets().version),
    )  # fmt: skip
    origins = page.shelf.origins if page.shelf else ()
    return _response(503 if page.cart is None else 200, html, origins)


def refusal_page(
    status: int, title: str, text: str, action: str = "", again: Mapping[str, str] | None = None
) -> Response:
    """A page that says what went wrong; with `again`, its button sends the same form again."""
    template = _environment().get_template("refusal.html")
    html = template.render(title=title, text=text, action=action, again=again)
    return _response(status, html)


def policy(origins: tuple[str, ...] = ()) -> str:
    """The content security policy: our own files, and pictures from where the catalog has them."""
    pictures = " ".join(("img-src 'self'", *origins))
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; {pictures}; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _response(status: int, html: str, origins: tuple[str, ...] = ()) -> Response:
    headers = {**_HEADERS, "Content-Security-Policy": policy(origins)}
    if status == 503:
        headers["Retry-After"] = "1"
    return Response(status=status, headers=headers, body=html.encode())


@cache
def _environment() -> Environment:
    environment = make_environment("ecart_server.shop")
    environment.globals.update(
        assets=shop_assets(), line_fields=line_fields, options_text=options_text
    )
    return environment


def line_fields(item: ItemView) -> dict[str, str]:
    """The fields of a form that adds one of a line."""
    return {"sku": item.sku, **option_fields(item.options)}


def options_text(options: Options) -> str:
    """The shopper's choice in one line: `size M, gift yes`."""
    return ", ".join(f"{name} {option_value(value)}" for name, value in options.items())


def now() -> datetime:
    """The time here."""
    return datetime.now(UTC)
