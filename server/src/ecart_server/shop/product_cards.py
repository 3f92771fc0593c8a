"""What of the catalog stands on one page, and as what: cards with a picture and a price."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from ecart.catalog import Product
from ecart.money import display_text
from ecart_server.pages.formatting import option_value, price

CARDS_PER_PAGE = 60
_IMAGE = re.compile(r"(https://[A-Za-z0-9.-]+(?::[0-9]+)?)/[^\s\\]*")


class Choice(msgspec.Struct, frozen=True):
    """One option of a product: the name of its field, and each value as JSON and for people."""

    name: str
    field: str
    values: tuple[tuple[str, str], ...]


class Card(msgspec.Struct, frozen=True):
    """A product as the page shows it. `price` is empty while it has none."""

    sku: str
    title: str
    price: str
    picture: str
    choices: tuple[Choice, ...] = ()


class Shelf(msgspec.Struct, frozen=True):
    """One page of the products, and the origins of their pictures that are not ours."""

    cards: tuple[Card, ...]
    number: int
    pages: int
    products: int
    pictures: Mapping[str, str]
    origins: tuple[str, ...]


def shelf_of(products: Sequence[Product], number: int, version: str) -> Shelf:
    """The page of this number, or the nearest that there is; `version` is that of the pictures."""
    pages = max(1, -(-len(products) // CARDS_PER_PAGE))
    number = min(max(number, 1), pages)
    shown = products[(number - 1) * CARDS_PER_PAGE : number * CARDS_PER_PAGE]
    foreign = [match[1] for product in shown if (match := _IMAGE.fullmatch(product.image or ""))]
    return Shelf(
        cards=tuple(_card(product, version) for product in shown),
        number=number,
        pages=pages,
        products=len(products),
        pictures={product.sku: _picture(product, version) for product in shown},
        origins=tuple(dict.fromkeys(foreign)),
    )


def drawn(sku: str, version: str) -> str:
    """Where the picture is that is drawn here."""
    return f"/pictures?v={version}&sku={quote(sku, safe='')}"


def _picture(product: Product, version: str) -> str:
    image = product.image or ""
    return image if _IMAGE.fullmatch(image) else drawn(product.sku, version)


def _card(product: Product, version: str) -> Card:
    unit_price = product.unit_price
    amount = "" if unit_price is None else display_text(unit_price, product.currency)
    return Card(
        sku=product.sku,
        title=product.title or product.sku,
        price=price(amount, product.currency) if amount else "",
        picture=_picture(product, version),
        choices=tuple(_choices(product)),
    )


def _choices(product: Product) -> list[Choice]:
    return [
        Choice(
            name,
            f"option:{name}",
            tuple((_as_json(value), option_value(value)) for value in values),
        )
        for name, values in (product.options or {}).items()
    ]


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
