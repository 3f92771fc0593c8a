"""The cards of the shop page: a product's picture, price and options, as the page shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from ecart.catalog import Product
from ecart.money import display_text
from ecart_server.pages.formatting import option_value, price
from ecart_server.pages.prefix import at
from ecart_server.shop.forms import OPTION_PREFIX

CARDS_PER_PAGE = 60
_IMAGE = re.compile(r"(https://[A-Za-z0-9.-]+(?::[0-9]+)?)/[^\s\\]*")


class Choice(msgspec.Struct, frozen=True):
    """One option of a product. `values` are pairs: the value as JSON, and as text for people."""

    name: str
    field: str
    values: tuple[tuple[str, str], ...]


class ProductCard(msgspec.Struct, frozen=True):
    """A product as the page shows it. `price` is empty if the catalog has none."""

    sku: str
    title: str
    price: str
    picture: str
    choices: tuple[Choice, ...] = ()


class ProductCards(msgspec.Struct, frozen=True):
    """The cards of page `number` of `pages`. `total` is how many cards all pages have.

    `pictures` are the URLs of the cards' pictures by SKU, `image_origins` the other hosts that the
    content security policy must allow for them.
    """

    cards: tuple[ProductCard, ...]
    number: int
    pages: int
    total: int
    pictures: Mapping[str, str]
    image_origins: tuple[str, ...]


def product_cards(products: Sequence[Product], number: int, version: str) -> ProductCards:
    """The page of this number, or the nearest one; `version` is that of the shop's assets."""
    pages = max(1, -(-len(products) // CARDS_PER_PAGE))
    number = min(max(number, 1), pages)
    shown = products[(number - 1) * CARDS_PER_PAGE : number * CARDS_PER_PAGE]
    origins = [match[1] for product in shown if (match := _IMAGE.fullmatch(product.image or ""))]
    return ProductCards(
        cards=tuple(_card(product, version) for product in shown),
        number=number,
        pages=pages,
        total=len(products),
        pictures={product.sku: _picture_url(product, version) for product in shown},
        image_origins=tuple(dict.fromkeys(origins)),
    )


def drawing_url(sku: str, version: str) -> str:
    """The URL of the picture that this service draws for a SKU."""
    return at(f"/pictures?v={version}&sku={quote(sku, safe='')}")


def _picture_url(product: Product, version: str) -> str:
    image = product.image or ""
    return image if _IMAGE.fullmatch(image) else drawing_url(product.sku, version)


def _card(product: Product, version: str) -> ProductCard:
    unit_price = product.unit_price
    amount = "" if unit_price is None else display_text(unit_price, product.currency)
    return ProductCard(
        sku=product.sku,
        title=product.title or product.sku,
        price=price(amount, product.currency) if amount else "",
        picture=_picture_url(product, version),
        choices=tuple(
            Choice(
                name=name,
                field=OPTION_PREFIX + name,
                values=tuple((json.dumps(v, ensure_ascii=False), option_value(v)) for v in values),
            )
            for name, values in (product.options or {}).items()
        ),
    )
