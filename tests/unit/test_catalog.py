"""Catalogs: what they know of a SKU, how files are read, and when they are read again."""

from __future__ import annotations

import asyncio
import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import StaticPool, create_engine, text

from ecart import MemoryStore, Rules
from ecart.catalog import (
    CallableCatalog,
    FileCatalog,
    ListedCatalog,
    MappingCatalog,
    Product,
    SampleCatalog,
    as_catalog,
)
from ecart.catalog.sql import SqlCatalog
from ecart.errors import CatalogError, InvalidCurrencyError
from ecart.http import HttpSettings, Request, Session
from ecart.integrations.host import Host, list_products
from ecart.tokens import SignedTokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def csv(folder: Path, text: str) -> FileCatalog:
    path = folder / "wares.csv"
    path.write_text(text, encoding="utf-8")
    return FileCatalog(path)


def as_json(folder: Path, text: str) -> FileCatalog:
    path = folder / "wares.json"
    path.write_text(text, encoding="utf-8")
    return FileCatalog(path)


def test_the_sample() -> None:
    """A dozen products, apple and banana among them, each with a price and a title."""
    sample = SampleCatalog()
    skus = [
        "apple", "banana", "bread", "butter", "cheese", "chocolate", "coffee", "eggs", "honey",
        "milk", "olive-oil", "tea",
    ]  # fmt: skip

    found = sample.lookup(skus)

    assert list(found) == skus
    assert found["apple"] == Product(
        sku="apple", title="Apple", unit_price=Decimal("0.50"), currency="USD"
    )
    assert found["banana"] == Product(
        sku="banana", title="Banana", unit_price=Decimal("0.25"), currency="USD"
    )
    assert all(product.unit_price and product.title for product in found.values())


def test_the_sample_in_another_currency() -> None:
    """For a shop that is just being set up in yen or euros."""
    assert SampleCatalog("EUR").lookup(["apple"])["apple"].currency == "EUR"


def test_many_are_looked_up_at_once() -> None:
    """Those that are known come back, in the order asked for; the others are left out."""
    catalog = MappingCatalog([Product(sku="a"), Product(sku="b"), Product(sku="c")])

    assert list(catalog.lookup(["c", "x", "a"])) == ["c", "a"]
    assert catalog.lookup([]) == {}


# CSV


def test_csv_in_full(tmp_path: Path) -> None:
    """Every column that a CSV file may have."""
    catalog = csv(
        tmp_path,
        "sku,title,unit_price,currency,max_quantity,image\n"
        'mug,"Mug, blue",7.50,EUR,12,https://shop.test/mug.png\n',
    )

    assert catalog.lookup(["mug"]) == {
        "mug": Product(
            sku="mug",
            title="Mug, blue",
            unit_price=Decimal("7.5"),
            currency="EUR",
            max_quantity=12,
            image="https://shop.test/mug.png",
        )
    }


def test_csv_with_empty_cells(tmp_path: Path) -> None:
    """What is empty is not there."""
    catalog = csv(tmp_path, "sku,title,unit_price,max_quantity\nmug,,,\n")

    assert catalog.lookup(["mug"]) == {"mug": Product(sku="mug", currency="USD")}


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    """With a byte order mark and Windows line ends, columns in any order."""
    catalog = csv(tmp_path, "\ufeffunit_price,sku\r\n7.5,mug\r\n0.25,été\r\n")

    summer = Product(sku="été", unit_price=Decimal("0.25"), currency="USD")
    assert catalog.lookup(["été"]) == {"été": summer}


def test_csv_with_nothing_in_it(tmp_path: Path) -> None:
    """A header alone sells nothing."""
    assert csv(tmp_path, "sku,unit_price\n").lookup(["mug"]) == {}


def test_the_currency_of_a_file(tmp_path: Path) -> None:
    """That of the row, else the one given for the file."""
    path = tmp_path / "wares.csv"
    path.write_text("sku,currency\na,\nb,EUR\n")

    found = FileCatalog(path, currency="JPY").lookup(["a", "b"])

    assert [product.currency for product in found.values()] == ["JPY", "EUR"]


BAD_CSV = {
    "no sku column": ("title\nMug\n", "product 1"),
    "an empty sku": ("sku,title\n,Mug\n", "product 1"),
    "a bad sku": ("sku\n mug\n", "product 1"),
    "twice": ("sku\nmug\nmug\n", "twice"),
    "a price in words": ("sku,unit_price\nmug,cheap\n", "product 1"),
    "a price with a comma": ('sku,unit_price\nmug,"7,50"\n', "product 1"),
    "a price with a sign": ("sku,unit_price\nmug,$7.50\n", "product 1"),
    "a negative price": ("sku,unit_price\nmug,-1\n", "product 1"),
    "NaN": ("sku,unit_price\nmug,NaN\n", "product 1"),
    "ten decimals": ("sku,unit_price\nmug,0.1234567891\n", "product 1"),
    "an unknown currency": ("sku,currency\nmug,XXX\n", "product 1"),
    "an unknown column": ("sku,colour\nmug,blue\n", "unknown column 'colour'"),
    "a limit in words": ("sku,max_quantity\nmug,many\n", "product 1"),
    "a limit of nothing": ("sku,max_quantity\nmug,0\n", "product 1"),
    "a cell too many": ("sku\nmug,7.50\n", "product 1"),
    "the second row": ("sku,unit_price\nmug,1\ncup,x\n", "product 2"),
}


@pytest.mark.parametrize(("text", "told"), BAD_CSV.values(), ids=list(BAD_CSV))
def test_bad_csv(tmp_path: Path, text: str, told: str) -> None:
    """The whole file is refused, naming the product: half a catalog would sell wrong prices."""
    with pytest.raises(CatalogError, match=told) as caught:
        csv(tmp_path, text).lookup(["mug"])

    assert "wares.csv" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


# JSON


def test_json_in_full(tmp_path: Path) -> None:
    """Every name that a JSON file may have, choices among them."""
    row = {
        "sku": "shirt",
        "title": "Shirt",
        "unit_price": "19.90",
        "currency": "EUR",
        "max_quantity": 5,
        "image": "shirt.png",
        "options": {"size": ["M", "L"], "packs": [1, 2], "gift": [True, False, None]},
    }

    found = as_json(tmp_path, json.dumps([row])).lookup(["shirt"])

    assert found == {
        "shirt": Product(
            sku="shirt",
            title="Shirt",
            unit_price=Decimal("19.9"),
            currency="EUR",
            max_quantity=5,
            image="shirt.png",
            options={"size": ["M", "L"], "packs": [1, 2], "gift": [True, False, None]},
        )
    }


@pytest.mark.parametrize(
    ("number", "price"),
    [("19.9", "19.9"), ("0.1", "0.1"), ("7", "7"), ("19.90", "19.9"), ("1.005", "1.005"),
     ("99627370497.123456789", "99627370497.123456789")],
)  # fmt: skip
def test_numbers_in_json_are_exact(tmp_path: Path, number: str, price: str) -> None:
    """A price written as a number never passes through a float."""
    catalog = as_json(tmp_path, f'[{{"sku": "mug", "unit_price": {number}}}]')

    assert catalog.lookup(["mug"])["mug"].unit_price == Decimal(price)


BAD_JSON = [
    "", "{", "{}", "null", '"mug"', '["mug"]', "[[]]", '[{"title": "Mug"}]', '[{"sku": 5}]',
    '[{"sku": "mug"}, {"sku": "mug"}]', '[{"sku": "mug", "unit_price": 1e3}]',
    '[{"sku": "mug", "unit_price": true}]', '[{"sku": "mug", "unit_price": [1]}]',
    '[{"sku": "mug", "unit_price": NaN}]', '[{"sku": "mug", "max_quantity": 1.5}]',
    '[{"sku": "mug", "max_quantity": true}]', '[{"sku": "mug", "max_quantity": []}]',
    '[{"sku": "mug", "title": 5}]', '[{"sku": "mug", "title": "a\\nb"}]',
    '[{"sku": "mug", "image": 5}]',
    '[{"sku": "mug", "options": []}]', '[{"sku": "mug", "options": {"size": "M"}}]',
    '[{"sku": "mug", "options": {"size": [[1]]}}]', '[{"sku": "mug", "price": 1}]', "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_JSON, ids=lambda text: text[:44])
def test_bad_json(tmp_path: Path, text: str) -> None:
    """`CatalogError`, whatever is wrong with it."""
    with pytest.raises(CatalogError, match=r"wares\.json"):
        as_json(tmp_path, text).lookup(["mug"])


# Files come and go


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """And only then."""
    catalog = csv(tmp_path, "sku,unit_price\nmug,7\n")
    first = catalog.lookup(["mug"])
    again = catalog.lookup(["mug"])

    csv(tmp_path, "sku,unit_price\nmug,8\n")

    assert first["mug"] is again["mug"]
    assert catalog.lookup(["mug"])["mug"].unit_price == 8


def test_a_file_that_is_replaced(tmp_path: Path) -> None:
    """By renaming, with the old time and size kept, as deployments do."""
    catalog = csv(tmp_path, "sku,unit_price\nmug,7\n")
    catalog.lookup(["mug"])
    status = catalog.path.stat()
    new = tmp_path / "new"
    new.write_text("sku,unit_price\nmug,8\n")
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))

    new.rename(catalog.path)

    assert catalog.lookup(["mug"])["mug"].unit_price == 8


def test_a_file_that_breaks_and_is_fixed(tmp_path: Path) -> None:
    """In between nothing is sold: the old prices may be wrong."""
    catalog = csv(tmp_path, "sku,unit_price\nmug,7\n")
    catalog.lookup(["mug"])

    csv(tmp_path, "sku,unit_price\nmug,x\n")
    for _ in range(2):
        with pytest.raises(CatalogError):
            catalog.lookup(["mug"])
    csv(tmp_path, "sku,unit_price\nmug,9\n")

    assert catalog.lookup(["mug"])["mug"].unit_price == 9


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Nor a folder; making the object is no error yet."""
    for path in (tmp_path / "nothing.csv", tmp_path):
        catalog = FileCatalog(path)
        with pytest.raises(CatalogError):
            catalog.lookup(["mug"])


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    """UTF-8 is expected; UTF-16 is refused, not guessed."""
    path = tmp_path / "wares.csv"
    path.write_bytes("sku\nmug\n".encode("utf-16"))

    with pytest.raises(CatalogError):
        FileCatalog(path).lookup(["mug"])


def test_a_file_in_an_unknown_currency(tmp_path: Path) -> None:
    """Refused at once."""
    with pytest.raises(InvalidCurrencyError):
        FileCatalog(tmp_path / "wares.csv", currency="XXX")


# What stands for a catalog


def test_as_catalog(tmp_path: Path) -> None:
    """None, a path, a function or a catalog."""

    def look_up(skus: Sequence[str]) -> dict[str, Product]:
        return {}

    own = MappingCatalog([])
    path = tmp_path / "wares.csv"

    assert isinstance(as_catalog(None), SampleCatalog)
    assert isinstance(as_catalog(look_up), CallableCatalog)
    assert as_catalog(own) is own
    for source in (path, str(path)):
        catalog = as_catalog(source)
        assert isinstance(catalog, FileCatalog)
        assert catalog.path == path


def test_as_catalog_in_a_currency(tmp_path: Path) -> None:
    """That of prices which come without one."""
    path = tmp_path / "wares.csv"
    path.write_text("sku\napple\n")

    for source in (None, path):
        found: Any = as_catalog(source, "EUR").lookup(["apple"])
        assert found["apple"].currency == "EUR"


def test_a_function() -> None:
    """Is asked what it is asked, and its answer handed on."""
    catalog = CallableCatalog(lambda skus: {sku: Product(sku=sku) for sku in skus})

    assert catalog.lookup(["a", "b"]) == {"a": Product(sku="a"), "b": Product(sku="b")}


async def test_a_coroutine_function() -> None:
    """Its coroutine is handed on, to be awaited."""

    async def look_up(skus: Sequence[str]) -> dict[str, Product]:
        return {sku: Product(sku=sku) for sku in skus}

    assert await CallableCatalog(look_up).lookup(["a"]) == {"a": Product(sku="a")}


@pytest.mark.parametrize(
    "fields",
    [
        {"unit_price": Decimal("NaN")}, {"unit_price": Decimal(-1)}, {"unit_price": "cheap"},
        {"currency": "usd"}, {"currency": None}, {"title": 5}, {"title": "a\x00"},
        {"title": "x" * 257},
        {"max_quantity": 0}, {"max_quantity": 1.0}, {"max_quantity": True}, {"max_quantity": "4"},
        {"image": 5}, {"options": ["M"]}, {"options": {"size": "M"}}, {"options": {5: ["M"]}},
        {"options": {"size": [1.5]}},
    ],
    ids=str,
)  # fmt: skip
def test_a_product_that_no_cart_could_take(fields: dict[str, Any]) -> None:
    """Is found out when it is made, before it can be blamed on a shopper."""
    with pytest.raises(ValueError):
        Product(sku="mug", **fields)


def test_a_product_in_order() -> None:
    """With everything, or with nothing but its SKU."""
    bare = Product(sku="mug")
    full = Product(
        sku="mug",
        title="🍵" * 256,
        unit_price=Decimal("0.000000001"),
        max_quantity=1,
        image="",
        options={"size": ("M", "L"), "packs": range(3)},
    )

    assert (bare.unit_price, bare.currency, bare.options) == (None, "", None)
    assert (full.unit_price, full.max_quantity) == (Decimal("1E-9"), 1)


def test_catalogs_that_can_tell_all_they_sell(tmp_path: Path) -> None:
    """The sample and a file show their products in order; a function shows none."""
    file = tmp_path / "catalog.csv"
    file.write_text("sku\ntea\ncup\n")

    assert [product.sku for product in FileCatalog(file).products()] == ["tea", "cup"]
    assert len(SampleCatalog().products()) == 12
    assert isinstance(SampleCatalog(), ListedCatalog)
    assert not isinstance(CallableCatalog(lambda skus: {}), ListedCatalog)


def test_products_are_asked_for_as_a_lookup_is() -> None:
    """In a thread or awaited; what is no product is the catalog's error."""

    class Slow:
        def lookup(self, skus: Sequence[str], /) -> dict[str, Product]:
            return {}

        async def products(self) -> list[Any]:
            return [Product(sku="tea")]

    class Wrong(Slow):
        async def products(self) -> list[Any]:
            return [Product(sku="tea", title="\n")]

    listed = asyncio.run(list_products(Slow(), "USD"))

    assert listed == (Product(sku="tea", currency="USD"),)
    assert asyncio.run(list_products(CallableCatalog(lambda skus: {}), "USD")) is None
    with pytest.raises(CatalogError, match="title"):
        asyncio.run(list_products(Wrong(), "USD"))


@pytest.mark.parametrize(
    "mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"], ids=ascii
)
def test_only_line_ends_end_a_row(tmp_path: Path, mark: str) -> None:
    """What Python's `splitlines` takes for a line end is part of a cell, as any character."""
    path = tmp_path / "wares.csv"
    path.write_bytes(f'sku,image,unit_price\r\nmug,"a{mark}b",3\r\ntea,c{mark}d,4\r\n'.encode())
    products = FileCatalog(path).products()

    assert [(p.sku, p.image, p.unit_price) for p in products] == [
        ("mug", f"a{mark}b", Decimal(3)), ("tea", f"c{mark}d", Decimal(4)),
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_line_ends_inside_of_quotes_are_text(tmp_path: Path, end: str) -> None:
    path = tmp_path / "wares.csv"
    path.write_bytes(f'sku,image,unit_price{end}mug,"a{end}b",3{end}tea,c,4'.encode())
    products = FileCatalog(path).products()

    assert [(p.sku, p.image, p.unit_price) for p in products] == [
        ("mug", f"a{end}b", Decimal(3)), ("tea", "c", Decimal(4)),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ['sku,title\nmug,"a', 'sku,title\nmug,"a"b\n'])
def test_quotes_that_do_not_fit_are_an_error(tmp_path: Path, text: str) -> None:
    """Not a product that swallows all that follow."""
    with pytest.raises(CatalogError, match=r"after line [12]: "):
        csv(tmp_path, text).products()


@pytest.mark.parametrize("name", ["wares.JSON", "wares.Json", "WARES.json"])
def test_a_name_in_capitals(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('[{"sku": "mug", "unit_price": "3"}]')

    assert [product.sku for product in FileCatalog(path).products()] == ["mug"]


def currencies(catalog: Any) -> list[tuple[str, str]]:
    """What a shop in francs adds of it, by HTTP and from its list of products."""
    settings = HttpSettings(rules=Rules(currency="CHF"))
    host = Host(
        MemoryStore(), tokens=SignedTokens(["a secret"]), catalog=catalog, settings=settings
    )
    body = b'{"sku": "mug"}'
    headers = {"content-type": "application/json"}
    answer = host.answer(
        Request(method="POST", path="/cart/items", headers=headers, body=body, session=Session("c"))
    )
    added = [("added", json.loads(answer.body)["currency"])]
    listed = asyncio.run(list_products(host.catalog, "CHF")) or ()
    return added + [("listed", product.currency) for product in listed]


def catalogs_without_a_currency(folder: Path) -> dict[str, Any]:
    mug = Product(sku="mug", unit_price=Decimal(3))
    (folder / "wares.csv").write_text("sku,unit_price\nmug,3\n")
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE products (sku TEXT, unit_price TEXT)"))
        connection.execute(text("INSERT INTO products VALUES ('mug', '3')"))
    return {
        "products": MappingCatalog([mug]),
        "a function": lambda skus: {"mug": mug},
        "a file": FileCatalog(folder / "wares.csv"),
        "its path": str(folder / "wares.csv"),
        "a database": SqlCatalog(engine),
    }


def test_a_product_without_a_currency_has_that_of_the_settings(tmp_path: Path) -> None:
    """In every kind of catalog, made by the app or named by its settings."""
    for name, catalog in catalogs_without_a_currency(tmp_path).items():
        assert {found for _, found in currencies(catalog)} == {"CHF"}, name


def test_a_currency_of_its_own_stays(tmp_path: Path) -> None:
    """That of the product, else that of its catalog."""
    euro = Product(sku="mug", unit_price=Decimal(3), currency="EUR")
    (tmp_path / "wares.csv").write_text("sku,unit_price\nmug,3\n")
    for catalog in (MappingCatalog([euro]), FileCatalog(tmp_path / "wares.csv", currency="EUR")):
        assert {found for _, found in currencies(catalog)} == {"EUR"}
