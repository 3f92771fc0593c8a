"""Renders the shop page and its error page from what the API answers. It reads only templates.

Every text of a cart or a catalog is escaped, and no page has inline script or style, which its
content security policy refuses: what is stored in a cart stays text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from ecart.http import Response
from ecart.http.views import CartView, ItemView, item_view
from ecart.model import LineItem, Options
from ecart.operations import new_token
from ecart_server.pages.formatting import CURRENCY_SIGNS, option_value
from ecart_server.pages.templates import make_environment
from ecart_server.shop.assets import shop_assets
from ecart_server.shop.flash import FlashMessage
from ecart_server.shop.forms import option_fields
from ecart_server.shop.product_cards import ProductCards, drawing_url

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = ("wire.js", "cart.js", "view.js", "live.js")

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "private, no-store",
    "Vary": "Cookie",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers send `Origin: null` with forms, which cannot be checked.
    "Referrer-Policy": "same-origin",
}


class ShopPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the shop page shows.

    `cart` is None while the engine is away, `products` if the catalog cannot list them. `token`
    and `mark` are fields of every form: the CSRF token, and a nonce by which repeats are known.
    """

    token: str = ""
    mark: str = ""
    cart: CartView | None = None
    etag: str = ""
    products: ProductCards | None = None
    is_catalog_away: bool = False
    message: FlashMessage | None = None
    now: datetime

    @property
    def cart_json(self) -> str:
        """The cart as the API shows it, for the page's script."""
        return "" if self.cart is None else msgspec.json.encode(self.cart).decode()

    @property
    def held_until(self) -> datetime | None:
        """When the check-out that holds the cart runs out; None if none holds it."""
        hold = self.cart and self.cart.checkout
        return hold.expires_at if hold and hold.expires_at > self.now else None

    @property
    def is_held(self) -> bool:
        """Whether a check-out holds the cart."""
        return self.held_until is not None

    @property
    def warnings(self) -> Mapping[str, str]:
        """The API's message about a line, by line id."""
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
    def blank(self) -> ShopPage:
        """A page without a cart, for the `<template>` from which the script makes lines."""
        return ShopPage(now=self.now)

    @property
    def blank_item(self) -> ItemView:
        """The empty line in that `<template>`."""
        return item_view(LineItem("", 0, title=""), "USD")

    def picture(self, sku: str) -> str:
        """The URL of a line's picture: the catalog's, or the one drawn from the SKU."""
        known = self.products.pictures.get(sku) if self.products else None
        return known or drawing_url(sku, shop_assets().version)


def render_shop(page: ShopPage) -> Response:
    """The shop page; 503 while it cannot show the cart."""
    html = _environment().get_template("shop.html").render(
        page=msgspec.structs.replace(page, mark=new_token()),
        scripts=SCRIPTS,
        signs_json=msgspec.json.encode(CURRENCY_SIGNS).decode(),
        pictures=drawing_url("", shop_assets().version),
    )  # fmt: skip
    image_origins = page.products.image_origins if page.products else ()
    return _response(503 if page.cart is None else 200, html, image_origins)


def render_error(
    status: int, title: str, text: str, action: str = "", fields: Mapping[str, str] | None = None
) -> Response:
    """A page that explains an error. With `fields`, a button sends that form to `action`."""
    template = _environment().get_template("error.html")
    html = template.render(title=title, text=text, action=action, fields=fields)
    return _response(status, html)


def _response(status: int, html: str, image_origins: tuple[str, ...] = ()) -> Response:
    images = " ".join(("img-src 'self'", *image_origins))
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; {images}; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {**_HEADERS, "Content-Security-Policy": policy}
    if status == 503:
        headers["Retry-After"] = "1"
    return Response(status=status, headers=headers, body=html.encode())


@cache
def _environment() -> Environment:
    environment = make_environment("ecart_server.shop")
    environment.globals.update(
        assets=shop_assets(), line_fields=_line_fields, options_text=_options_text
    )
    return environment


def _line_fields(item: ItemView) -> dict[str, str]:
    """The fields of the form that adds one more of a line."""
    return {"sku": item.sku, **option_fields(item.options)}


def _options_text(options: Options) -> str:
    """The chosen options in one line: `size M, gift yes`."""
    return ", ".join(f"{name} {option_value(value)}" for name, value in options.items())
