"""The catalog in a database: one query, exact prices, and whatever is wrong with a row is told."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.ext.asyncio import create_async_engine

from ecart.catalog import Product, as_catalog
from ecart.catalog.sql import AsyncSqlCatalog, SqlCatalog
from ecart.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

MUG = Product(sku="mug", title="Mug", unit_price=Decimal("7.5"), currency="USD")

metadata = MetaData()
goods = Table(
    "goods",
    metadata,
    Column("code", String, primary_key=True),
    Column("label", String),
    Column("price", Numeric(12, 4)),
    Column("cents", Integer),
    Column("is_sold", Integer),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def sql(file: Path) -> Callable[[str], None]:
    """Runs SQL in the shop's database."""

    def run(script: str) -> None:
        connection = sqlite3.connect(file)
        connection.executescript(script)
        connection.close()

    return run


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    opened = create_engine(f"sqlite:///{file}")
    yield opened
    opened.dispose()


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """What the database is asked."""
    asked: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        asked.append(statement)

    return asked


@pytest.fixture
def products(sql: Callable[[str], None]) -> None:
    """A table with every column that a product may have, and one more."""
    sql(
        "CREATE TABLE products (sku TEXT PRIMARY KEY, title TEXT, unit_price NUMERIC(10, 2),"
        " currency TEXT, max_quantity INTEGER, image TEXT, options JSON, stock INTEGER);"
        "INSERT INTO products VALUES"
        " ('mug', 'Mug', 7.50, NULL, NULL, NULL, NULL, 3),"
        " ('shirt', 'Shirt', 19.90, 'EUR', 5, 's.png', '{\"size\": [\"M\", \"L\"]}', 0),"
        " ('soon', NULL, NULL, NULL, NULL, NULL, NULL, 0);"
    )


def test_a_table_named_products(engine: Engine, products: None) -> None:
    """Its columns are found by their names, as those of a CSV file; others are not looked at."""
    found = SqlCatalog(engine).lookup(["shirt", "soon", "mug", "car"])

    assert found == {
        "shirt": Product(
            sku="shirt",
            title="Shirt",
            unit_price=Decimal("19.9"),
            currency="EUR",
            max_quantity=5,
            image="s.png",
            options={"size": ["M", "L"]},
        ),
        "soon": Product(sku="soon", currency="USD"),
        "mug": MUG,
    }
    assert list(found) == ["shirt", "soon", "mug"]


async def test_asyncio(file: Path, products: None) -> None:
    """The same, awaited."""
    for database in (
        f"sqlite+aiosqlite:///{file}",
        create_async_engine(f"sqlite+aiosqlite:///{file}"),
    ):
        catalog = AsyncSqlCatalog(database)

        assert await catalog.lookup(["mug", "car"]) == {"mug": MUG}
        await catalog.engine.dispose()


def test_a_database_in_memory_is_kept() -> None:
    """It would be empty for the next connection."""
    catalog = SqlCatalog("sqlite://")
    with catalog.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE products (sku)")
        connection.exec_driver_sql("INSERT INTO products VALUES ('mug')")

    assert list(catalog.lookup(["mug"])) == ["mug"]
    catalog.engine.dispose()


def test_one_query_for_all(engine: Engine, products: None, statements: list[str]) -> None:
    """However many SKUs are asked for; which columns there are is asked once."""
    catalog = SqlCatalog(engine, columns={"sku": "sku", "unit_price": "unit_price"})
    found = catalog.lookup(["mug", "shirt", *(f"x{n}" for n in range(500))])

    assert list(found) == ["mug", "shirt"]
    assert len(statements) == 1

    learning = SqlCatalog(engine)
    learning.lookup(["mug"])
    del statements[:]
    learning.lookup(["mug"])
    assert len(statements) == 1


def test_columns_of_other_names(engine: Engine, sql: Callable[[str], None]) -> None:
    """By field; a name that wants quotes is quoted."""
    sql(
        'CREATE TABLE "Wares" ("item no" TEXT, "select" TEXT);'
        "INSERT INTO \"Wares\" VALUES ('a', '1.05');"
    )
    columns = {"sku": "item no", "unit_price": "select"}

    found = SqlCatalog(engine, "Wares", columns=columns, currency="CHF").lookup(["a"])

    assert found == {"a": Product(sku="a", unit_price=Decimal("1.05"), currency="CHF")}


@pytest.fixture
def stocked(engine: Engine) -> None:
    """`goods`, as an app has its own tables."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [
            {"code": "mug", "label": "mug", "price": "7.50", "cents": 750, "is_sold": 1},
            {"code": "pot", "label": "pot", "price": "24.1005", "cents": 2410, "is_sold": 0},
        ]
        for row in rows:
            connection.exec_driver_sql(
                "INSERT INTO goods VALUES (:code, :label, :price, :cents, :is_sold)", row
            )


def test_a_table_of_the_app(engine: Engine, stocked: None) -> None:
    """Its `Numeric` is read as it was written, without SQLAlchemy's way through a float."""
    columns = {"sku": "code", "unit_price": "price"}

    found = SqlCatalog(engine, goods, columns=columns).lookup(["mug", "pot"])

    prices = {sku: product.unit_price for sku, product in found.items()}
    assert prices == {"mug": Decimal("7.5"), "pot": Decimal("24.1005")}


def test_a_select_of_the_app(engine: Engine, stocked: None, statements: list[str]) -> None:
    """Labels name the fields; its conditions hold; it is still one query."""
    sold = select(
        goods.c.code.label("sku"),
        func.upper(goods.c.label).label("title"),
        goods.c.price.label("unit_price"),
    ).where(goods.c.is_sold == 1)

    found = SqlCatalog(engine, sold).lookup(["mug", "pot"])

    mug = Product(sku="mug", title="MUG", unit_price=Decimal("7.5"), currency="USD")
    assert found == {"mug": mug}
    assert len(statements) == 1


def test_minor_units(engine: Engine, stocked: None, sql: Callable[[str], None]) -> None:
    """Cents, or whatever the currency has: none in yen, three digits in dinars."""
    columns = {"sku": "code", "unit_price": "cents"}
    prices = {}
    for currency in ("USD", "JPY", "KWD"):
        catalog = SqlCatalog(engine, goods, columns=columns, currency=currency, minor_units=True)
        prices[currency] = catalog.lookup(["mug"])["mug"].unit_price

    assert prices == {"USD": Decimal("7.5"), "JPY": Decimal(750), "KWD": Decimal("0.75")}


@pytest.mark.parametrize("column", ["NUMERIC", "DECIMAL(12, 4)", "REAL", "TEXT", "VARCHAR(20)", ""])
@pytest.mark.parametrize("price", ["0.1", "19.90", "7", "1.005", "123456789.1234", "0.0001"])
def test_prices_are_exact(
    engine: Engine, sql: Callable[[str], None], column: str, price: str
) -> None:
    """As they were written, whatever SQLite makes of the column."""
    sql(
        f"CREATE TABLE products (sku TEXT, unit_price {column});"
        f"INSERT INTO products VALUES ('a', {price});"
    )

    assert SqlCatalog(engine).lookup(["a"])["a"].unit_price == Decimal(price)


def test_a_float_is_refused(engine: Engine) -> None:
    """Of any other database: what its driver calls a price is taken only if it is exact."""
    from ecart.catalog.sql import _Wares

    wares = _Wares("products", {"sku": "sku"}, "USD", False)

    assert wares._exact(Decimal("0.1"), "USD") == Decimal("0.1")
    with pytest.raises(ValueError, match="float"):
        wares._exact(0.1, "USD")


BAD_ROWS = {
    "a price in words": "('mug', 'cheap', NULL)",
    "a negative price": "('mug', -1, NULL)",
    "a price with an exponent": "('mug', 1e20, NULL)",
    "a price of bytes": "('mug', x'ff00', NULL)",
    "a limit of nothing": "('mug', 1, 0)",
    "a limit in words": "('mug', 1, 'many')",
    "twice": "('mug', 1, NULL), ('mug', 2, NULL)",
}


@pytest.mark.parametrize("values", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows(engine: Engine, sql: Callable[[str], None], values: str) -> None:
    """`CatalogError` that names the product, or the column that could not even be read."""
    sql("CREATE TABLE products (sku, unit_price, max_quantity);")
    sql(f"INSERT INTO products VALUES {values};")

    with pytest.raises(CatalogError, match=r"'mug'|'unit_price'"):
        SqlCatalog(engine).lookup(["mug"])


def test_a_bad_row_of_another_sku(engine: Engine, sql: Callable[[str], None]) -> None:
    """Only what is asked for is read: the rest of the shop goes on selling."""
    sql(
        "CREATE TABLE products (sku, unit_price);"
        "INSERT INTO products VALUES ('pot', 'x'), ('a', 1);"
    )

    assert list(SqlCatalog(engine).lookup(["a"])) == ["a"]


@pytest.mark.parametrize("price", ["7.5", "'7'", "'x'"])
def test_bad_minor_units(engine: Engine, sql: Callable[[str], None], price: str) -> None:
    """Half a cent, or text, is a mistake in the table or in the settings."""
    sql("CREATE TABLE products (sku, unit_price);")
    sql(f"INSERT INTO products VALUES ('mug', {price});")

    with pytest.raises(CatalogError, match="'mug'"):
        SqlCatalog(engine, minor_units=True).lookup(["mug"])


def test_another_spelling_is_another_sku(engine: Engine, sql: Callable[[str], None]) -> None:
    """Also where the database does not tell capitals from small letters."""
    sql("CREATE TABLE products (sku TEXT COLLATE NOCASE); INSERT INTO products VALUES ('Mug');")

    assert SqlCatalog(engine).lookup(["mug"]) == {}
    assert list(SqlCatalog(engine).lookup(["Mug"])) == ["Mug"]


def test_skus_are_values_and_not_sql(engine: Engine, products: None) -> None:
    """Whatever a shopper sends."""
    hostile = ["' OR 1=1 --", "mug'; DROP TABLE products; --", '"', "%", "mug\\"]

    assert SqlCatalog(engine).lookup([*hostile, "mug"]) == {"mug": MUG}


def test_a_database_that_is_not_there(file: Path, products: None) -> None:
    """`CatalogError`; once it is back, it is asked again. No file is kept open meanwhile."""
    catalog = SqlCatalog(f"sqlite:///{file}")
    catalog.lookup(["mug"])
    away = file.rename(file.with_suffix(".away"))

    with pytest.raises(CatalogError, match="cannot be read"):
        catalog.lookup(["mug"])
    file.unlink()
    away.rename(file)

    assert catalog.lookup(["mug"]) == {"mug": MUG}


def test_a_server_that_does_not_answer() -> None:
    """Some drivers let the system's own error through, as asyncpg does."""

    def refuse() -> Any:
        raise ConnectionRefusedError("nobody is there")

    with pytest.raises(CatalogError, match="nobody is there"):
        SqlCatalog(create_engine("sqlite://", creator=refuse)).lookup(["mug"])


@pytest.mark.parametrize(
    "url", ["nothing://x", "postgresql+nothing://x", "://", "sqlite+aiosqlite://"]
)
def test_a_url_of_no_database(url: str) -> None:
    """A `CatalogError` at the start, also for an asyncio driver where nobody awaits."""
    with pytest.raises(CatalogError):
        as_catalog(url)


@pytest.mark.parametrize("columns", [{"title": "title"}, {"sku": "sku", "price": "price"}, {}])
def test_columns_of_no_product(columns: dict[str, str]) -> None:
    """Refused at once."""
    with pytest.raises(ValueError):
        SqlCatalog("sqlite://", columns=columns)


def test_a_source_without_a_sku(engine: Engine, sql: Callable[[str], None]) -> None:
    """Of a select at once, of a table when it is looked at."""
    sql("CREATE TABLE products (code TEXT);")

    with pytest.raises(ValueError, match="sku"):
        SqlCatalog(engine, select(goods.c.code))
    with pytest.raises(CatalogError, match="sku"):
        SqlCatalog(engine).lookup(["mug"])


def test_as_catalog_takes_a_url(file: Path, products: None) -> None:
    """Prices without a currency are in the one given."""
    catalog = as_catalog(f"sqlite:///{file}", "EUR")

    found: Any = catalog.lookup(["mug"])

    assert isinstance(catalog, SqlCatalog)
    assert found["mug"].currency == "EUR"
    catalog.engine.dispose()
