"""A shop's own catalog: it alone says what is sold, for how much, and how much of it."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from clients import INTEGRATIONS
from ecart.catalog import Product
from ecart.catalog.sql import AsyncSqlCatalog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from clients import Shop, Shopper

WARES = [
    {"sku": "mug", "title": "Mug", "unit_price": "7.00"},
    {"sku": "shirt", "unit_price": 19.9, "options": {"size": ["M", "L"], "packs": [1, 2]}},
    {"sku": "ticket", "unit_price": "55", "max_quantity": 4},
    {"sku": "soon", "title": "Not out yet"},
]


@pytest.fixture
def wares(tmp_path: Path) -> Path:
    path = tmp_path / "wares.json"
    path.write_text(json.dumps(WARES))
    return path


@pytest.fixture
def shopper(make_shop: Callable[..., Shop], wares: Path) -> Shopper:
    return make_shop(catalog=wares).shopper()


@pytest.fixture
def mug(shopper: Shopper) -> dict[str, Any]:
    """The cart of `shopper`, who has put one mug in."""
    cart: dict[str, Any] = shopper.post("/cart/items", json={"sku": "mug"}).json
    return cart


def test_price_and_title_are_the_catalogs(mug: dict[str, Any]) -> None:
    """As the file says, exactly."""
    assert [(i["title"], i["unit_price"], i["quantity"]) for i in mug["items"]] == [
        ("Mug", "7.00", 1)
    ]


def test_what_is_not_sold_is_refused(shopper: Shopper, mug: dict[str, Any]) -> None:
    """422 `unknown_sku`, pointing at it; apples are only in the sample."""
    answer = shopper.post("/cart/items", json={"sku": "apple"})

    assert (answer.status, answer.code) == (422, "unknown_sku")
    assert answer.json["errors"][0]["pointer"] == "/sku"
    assert shopper.get("/cart").json == mug


def test_what_has_no_price_yet_is_sold_without(shopper: Shopper) -> None:
    """With its title, and the message that says so."""
    answer = shopper.post("/cart/items", json={"sku": "soon"}).json

    assert (answer["items"][0]["unit_price"], answer["subtotal"]) == (None, "0.00")
    assert answer["messages"] == [
        {
            "code": "price_missing",
            "line_id": "soon",
            "text": "Not out yet has no price yet and does not count in the subtotal",
        }
    ]


@pytest.mark.parametrize("options", [{"size": "M"}, {"size": "L", "packs": 2}, {}])
def test_options_that_are_offered(shopper: Shopper, options: dict[str, Any]) -> None:
    """Any of the values of any of the names, or none."""
    answer = shopper.post("/cart/items", json={"sku": "shirt", "options": options})

    assert answer.json["items"][0]["options"] == options
    assert answer.json["items"][0]["unit_price"] == "19.90"


@pytest.mark.parametrize(
    "options",
    [
        {"size": "XS"},
        {"colour": "red"},
        {"size": ["M"]},
        {"packs": True},
        {"packs": "1"},
        {"size": None},
    ],
    ids=str,
)
def test_options_that_are_not_offered(
    shopper: Shopper, mug: dict[str, Any], options: dict[str, Any]
) -> None:
    """422 `invalid_options`; true is not 1."""
    answer = shopper.post("/cart/items", json={"sku": "shirt", "options": options})

    assert (answer.status, answer.code) == (422, "invalid_options")
    assert shopper.get("/cart").json == mug


def test_a_products_own_limit(shopper: Shopper) -> None:
    """Four tickets and no more, by POST and by PATCH."""
    full = shopper.post("/cart/items", json={"sku": "ticket", "quantity": 4})

    more = shopper.post("/cart/items", json={"sku": "ticket"})
    five = shopper.patch("/cart/items/ticket", json={"quantity": 5})

    assert full.status == 200
    assert [(a.status, a.code) for a in (more, five)] == [(422, "quantity_limit_exceeded")] * 2
    assert shopper.get("/cart").json == full.json


def test_a_changed_file_is_read_again(shopper: Shopper, mug: dict[str, Any], wares: Path) -> None:
    """The next add takes the new price, for the whole line."""
    wares.write_text(json.dumps([{"sku": "mug", "unit_price": "8.50"}]))

    answer = shopper.post("/cart/items", json={"sku": "mug"}).json

    assert (answer["items"][0]["unit_price"], answer["subtotal"]) == ("8.50", "17.00")
    assert shopper.post("/cart/items", json={"sku": "ticket"}).code == "unknown_sku"


def test_what_is_no_longer_sold_can_be_taken_out(
    shopper: Shopper, mug: dict[str, Any], wares: Path
) -> None:
    """And be bought less of: the line is never dropped silently."""
    shopper.patch("/cart/items/mug", json={"quantity": 3})
    wares.write_text("[]")

    fewer = shopper.patch("/cart/items/mug", json={"quantity": 1}).json
    gone = shopper.delete("/cart/items/mug").json

    assert fewer["items"] == mug["items"]
    assert gone["items"] == []


BROKEN = [
    "", "not json", "{}", '{"mug": 1}', "[1]", '[{"sku": "mug"}, {"sku": "mug"}]', '[{"sku": ""}]',
    '[{"sku": 5}]', "[{}]", '[{"sku": "mug", "unit_price": "1e3"}]',
    '[{"sku": "mug", "unit_price": -1}]',
    '[{"sku": "mug", "unit_price": "NaN"}]', '[{"sku": "mug", "unit_price": true}]',
    '[{"sku": "mug", "price": 1}]', '[{"sku": "mug", "currency": "XXX"}]',
    '[{"sku": "mug", "max_quantity": 0}]', '[{"sku": "mug", "max_quantity": -1}]',
    '[{"sku": "mug", "max_quantity": "many"}]', '[{"sku": "mug", "max_quantity": [1]}]',
    '[{"sku": "mug", "max_quantity": 2.5}]', '[{"sku": "mug", "max_quantity": true}]',
    '[{"sku": "mug", "title": 5}]', '[{"sku": "mug", "title": "a\\u0000"}]',
    '[{"sku": "mug", "title": "' + "x" * 300 + '"}]', '[{"sku": "mug", "options": ["M"]}]',
    '[{"sku": "mug", "options": {"size": "M"}}]', '[{"sku": "mug", "options": {"size": 5}}]',
    '[{"sku": "mug", "options": {"size": [[1]]}}]', '[{"sku": "mug", "image": 5}]', "[" * 100_000,
    '[{"sku": "mug", "unit_price": ' + "1" * 10_000 + "}]",
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:44])
def test_a_file_that_breaks(shopper: Shopper, mug: dict[str, Any], wares: Path, text: str) -> None:
    """503 `catalog_unavailable` until it is fixed; carts stay and can be read and emptied."""
    wares.write_text(text)

    added = shopper.post("/cart/items", json={"sku": "mug"})
    patched = shopper.patch("/cart/items/mug", json={"quantity": 2})
    shown = shopper.get("/cart")
    wares.write_text(json.dumps(WARES))
    fixed = shopper.post("/cart/items", json={"sku": "mug"})

    for refused in (added, patched):
        assert (refused.status, refused.code) == (503, "catalog_unavailable")
        assert refused.headers["retry-after"].isdecimal()
        assert str(wares.parent) not in refused.json["detail"]
    assert shown.json == mug
    assert fixed.json["total_quantity"] == 2


def test_a_file_that_is_gone(shopper: Shopper, mug: dict[str, Any], wares: Path) -> None:
    """503 as well; removing needs no catalog."""
    wares.unlink()

    assert shopper.post("/cart/items", json={"sku": "mug"}).code == "catalog_unavailable"
    assert shopper.delete("/cart/items/mug").json["items"] == []


# Databases


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A shop's database, in the shape that `--catalog` wants."""
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE products (sku TEXT PRIMARY KEY, title TEXT, unit_price NUMERIC);"
        "INSERT INTO products VALUES ('mug', 'Mug', 7.10), ('pot', 'Pot', 'cheap');"
    )
    connection.close()
    return path


def test_a_database_is_a_catalog(make_shop: Callable[..., Shop], database: Path) -> None:
    """By its URL. Prices are exact, and what it does not know is not sold."""
    shopper = make_shop(catalog=f"sqlite:///{database}").shopper()

    mugs = shopper.post("/cart/items", json={"sku": "mug", "quantity": 3}).json

    assert (mugs["items"][0]["title"], mugs["subtotal"]) == ("Mug", "21.30")
    assert shopper.post("/cart/items", json={"sku": "apple"}).code == "unknown_sku"


def test_a_database_that_is_down(make_shop: Callable[..., Shop], database: Path) -> None:
    """503 `catalog_unavailable`, as for a bad row; the cart is unchanged, and can be emptied."""
    shopper = make_shop(catalog=f"sqlite:///{database}").shopper()
    mug = shopper.post("/cart/items", json={"sku": "mug"}).json

    bad = shopper.post("/cart/items", json={"sku": "pot"})
    database.write_bytes(b"not a database" * 100)
    down = shopper.post("/cart/items", json={"sku": "mug"})

    assert [(a.status, a.code) for a in (bad, down)] == [(503, "catalog_unavailable")] * 2
    assert str(database.parent) not in down.json["detail"]
    assert shopper.get("/cart").json == mug
    assert shopper.delete("/cart/items/mug").json["items"] == []


@pytest.mark.parametrize("shop_class", INTEGRATIONS[:1], indirect=True)
def test_a_database_asked_without_a_thread(make_shop: Callable[..., Shop], database: Path) -> None:
    """By an asyncio driver, where the app is asynchronous."""
    catalog = AsyncSqlCatalog(
        create_async_engine(f"sqlite+aiosqlite:///{database}", poolclass=NullPool)
    )
    shopper = make_shop(catalog=catalog).shopper()

    assert shopper.post("/cart/items", json={"sku": "mug"}).json["subtotal"] == "7.10"


# Functions


integrations = pytest.mark.parametrize("shop_class", INTEGRATIONS, indirect=True)


@pytest.fixture
def make_shopper(make_shop: Callable[..., Shop]) -> Callable[[Any], Shopper]:
    """Makes a shopper of a shop whose catalog is a function."""
    return lambda function: make_shop(catalog=function).shopper()


@integrations
def test_a_function_is_a_catalog(make_shopper: Callable[[Any], Shopper]) -> None:
    """It is asked for the SKU at hand and answers with what it knows."""
    asked: list[list[str]] = []

    def look_up(skus: Sequence[str]) -> dict[str, Product]:
        asked.append(list(skus))
        return {sku: Product(sku=sku, unit_price=Decimal("1.005")) for sku in skus if sku == "mug"}

    shopper = make_shopper(look_up)
    known = shopper.post("/cart/items", json={"sku": "mug", "quantity": 2})
    unknown = shopper.post("/cart/items", json={"sku": "apple"})

    assert (known.json["items"][0]["unit_price"], known.json["subtotal"]) == ("1.005", "2.01")
    assert unknown.code == "unknown_sku"
    assert asked == [["mug"], ["apple"]]


@pytest.mark.parametrize("shop_class", INTEGRATIONS[:1], indirect=True)
def test_a_coroutine_function_is_a_catalog(make_shopper: Callable[[Any], Shopper]) -> None:
    """Where the app is asynchronous."""

    async def look_up(skus: Sequence[str]) -> dict[str, Product]:
        return {sku: Product(sku=sku, unit_price=Decimal(3)) for sku in skus}

    answer = make_shopper(look_up).post("/cart/items", json={"sku": "mug"})

    assert answer.json["subtotal"] == "3.00"


def product(**fields: Any) -> Callable[[Sequence[str]], dict[str, Product]]:
    return lambda skus: {sku: Product(sku=sku, **fields) for sku in skus}


def failing(skus: Sequence[str]) -> None:
    raise RuntimeError("the database at 10.0.0.1 is down")


def leaving(skus: Sequence[str]) -> None:
    raise KeyError(skus[0])


WRONG = {
    "raises": failing,
    "raises KeyError": leaving,
    "None": lambda skus: None,
    "list": lambda skus: [Product(sku=sku) for sku in skus],
    "dicts": lambda skus: {sku: {"unit_price": "1.00"} for sku in skus},
    "a price": lambda skus: {sku: Decimal(1) for sku in skus},
    "NaN": product(unit_price=Decimal("NaN")),
    "negative": product(unit_price=Decimal(-1)),
    "ten digits": product(unit_price=Decimal("0.1234567891")),
    "a price that is text": product(unit_price="cheap"),
    "a currency that is none": product(unit_price=Decimal(1), currency="XXX"),
    "a limit of none": product(max_quantity=0),
    "a limit that is text": product(max_quantity="4"),
    "a title that is a number": product(title=5),
    "a title with a line end": product(title="a\nb"),
    "options that are a list": product(options=["M"]),
}


@integrations
@pytest.mark.parametrize("function", WRONG.values(), ids=WRONG)
def test_a_function_that_fails(make_shopper: Callable[[Any], Shopper], function: Any) -> None:
    """503 `catalog_unavailable`, nothing changed, and what went wrong is not told to strangers."""
    shopper = make_shopper(function)
    before = shopper.get("/cart").json

    answer = shopper.post("/cart/items", json={"sku": "mug"})

    assert (answer.status, answer.code) == (503, "catalog_unavailable")
    assert answer.json["detail"] == "the catalog cannot be read; nothing was changed, try again"
    assert shopper.get("/cart").json == before


@integrations
def test_a_product_in_another_currency(make_shopper: Callable[[Any], Shopper]) -> None:
    """409 `currency_mismatch`: a cart has one currency, that of its first price."""
    prices = {"mug": "USD", "tasse": "EUR"}
    shopper = make_shopper(
        lambda skus: {s: Product(sku=s, unit_price=Decimal(1), currency=prices[s]) for s in skus}
    )
    mug = shopper.post("/cart/items", json={"sku": "mug"}).json

    answer = shopper.post("/cart/items", json={"sku": "tasse"})

    assert (answer.status, answer.code) == (409, "currency_mismatch")
    assert shopper.get("/cart").json == mug
