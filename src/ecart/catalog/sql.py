"""The products of a database, by SQLAlchemy Core. Only this module imports SQLAlchemy.

One query answers a lookup, for all of its SKUs. Prices stay exact: a float is refused, and SQLite,
which has no decimals of its own, is asked for the text of its numbers.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    FromClause,
    NullPool,
    QueuePool,
    SelectBase,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    inspect,
    select,
    table,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ecart.catalog.product import Product, Products, known_of, product_of
from ecart.errors import CatalogError
from ecart.money import check_currency, currency_digits

Source = str | FromClause | SelectBase
"""A table's or view's name, a table, or a select: where the products stand, a row for each."""


class SqlCatalog:
    """A catalog in a database: `SqlCatalog("postgresql+psycopg://host/shop")`.

    `database` is an engine, which stays the caller's, or a URL. `source` has a row for each SKU.
    Its columns are named as the fields of `Product`, or as `columns` maps them by field; of a plain
    name, those that the table has are found at the first lookup. A NULL is a field not given, and
    `currency` that of prices without one; else they have that of the settings. With `minor_units` a
    price is a whole number of them, such as cents.

    Raises:
        ValueError: `columns` without `sku`, or that names what is no field.
        CatalogError: a URL that no database can be opened by.
    """

    def __init__(
        self,
        database: str | URL | Engine,
        source: Source = "products",
        *,
        columns: Mapping[str, str] | None = None,
        currency: str = "",
        minor_units: bool = False,
    ) -> None:
        self._wares = _Wares(source, columns, currency, minor_units)
        self.engine: Engine = (
            database if isinstance(database, Engine) else _opened(create_engine, database)
        )
        if self.engine.dialect.is_async:
            raise CatalogError("an asyncio driver: use AsyncSqlCatalog, or another driver")

    def adopt_currency(self, currency: str) -> None:
        """Gives rows without a currency that of the settings, unless the catalog has its own."""
        self._wares.adopt_currency(currency)

    def lookup(self, skus: Sequence[str], /) -> Products:
        """The products of those SKUs that are sold, by SKU."""
        with _catalog_errors(), self.engine.connect() as connection:
            return self._wares.found(connection, skus)


class AsyncSqlCatalog:
    """`SqlCatalog` for asyncio, with an asyncio engine or the URL of such a driver.

    An asyncio engine belongs to the event loop that first used it.
    """

    def __init__(
        self,
        database: str | URL | AsyncEngine,
        source: Source = "products",
        *,
        columns: Mapping[str, str] | None = None,
        currency: str = "",
        minor_units: bool = False,
    ) -> None:
        self._wares = _Wares(source, columns, currency, minor_units)
        self.engine: AsyncEngine = (
            database
            if isinstance(database, AsyncEngine)
            else _opened(create_async_engine, database)
        )

    def adopt_currency(self, currency: str) -> None:
        """Gives rows without a currency that of the settings, unless the catalog has its own."""
        self._wares.adopt_currency(currency)

    async def lookup(self, skus: Sequence[str], /) -> Products:
        """As `SqlCatalog.lookup`."""
        with _catalog_errors():
            async with self.engine.connect() as connection:
                return await connection.run_sync(self._wares.found, skus)


class _Wares:
    """The one statement, and how its rows become products."""

    def __init__(
        self,
        source: Source,
        columns: Mapping[str, str] | None,
        currency: str,
        minor_units: bool,
    ) -> None:
        self._source = source.subquery() if isinstance(source, SelectBase) else source
        if columns is None and not isinstance(self._source, str):
            columns = _fields_among(self._source.c.keys())
        self._columns = None if columns is None else _checked(columns)
        self._has_currency = bool(currency)
        self._currency = check_currency(currency or "USD")
        self._minor_units = minor_units

    def adopt_currency(self, currency: str) -> None:
        if not self._has_currency:
            self._currency = check_currency(currency)

    def found(self, connection: Connection, skus: Sequence[str]) -> Products:
        rows = connection.execute(self._statement(connection), {"skus": list(skus)}).mappings()
        products: dict[str, Product] = {}
        for row in rows:
            product = self._product(dict(row))
            if product.sku in products:
                raise ValueError(f"{product.sku!r} stands in it twice")
            products[product.sku] = product
        return known_of(products, skus)

    def _statement(self, connection: Connection) -> Executable:
        source = self._source
        if self._columns is None:
            there = inspect(connection).get_columns(str(source))
            self._columns = _checked(_fields_among(column["name"] for column in there))
        if isinstance(source, str):
            source = table(source, *(column(name) for name in self._columns.values()))
        chosen: dict[str, Any] = {field: source.c[name] for field, name in self._columns.items()}
        sku = chosen["sku"]
        if "unit_price" in chosen and connection.dialect.name == "sqlite" and not self._minor_units:
            chosen["unit_price"] = cast(chosen["unit_price"], Text)
        labelled = (each.label(field) for field, each in chosen.items())
        return select(*labelled).where(sku.in_(bindparam("skus", expanding=True)))

    def _product(self, row: dict[str, Any]) -> Product:
        fields = {field: value for field, value in row.items() if value is not None}
        try:
            if "unit_price" in fields:
                currency = check_currency(fields.get("currency", self._currency))
                fields["unit_price"] = self._exact(fields["unit_price"], currency)
            if isinstance(fields.get("options"), str):
                fields["options"] = json.loads(fields["options"])
            return product_of(fields, self._currency)
        except ValueError as error:
            raise ValueError(f"product {row['sku']!r}: {error}") from error

    def _exact(self, price: Any, currency: str) -> Any:
        if isinstance(price, float):
            raise ValueError("its price is a float; NUMERIC, text or whole minor units are exact")
        if not self._minor_units:
            return price
        if type(price) is not int:
            raise ValueError("its price is no whole number of minor units")
        return Decimal(price).scaleb(-currency_digits(currency))


def _fields_among(names: Any) -> dict[str, str]:
    return {name: name for name in names if name in Product.__struct_fields__}


def _checked(columns: Mapping[str, str]) -> Mapping[str, str]:
    if "sku" not in columns:
        raise ValueError("a catalog needs a column for sku")
    for field in columns:
        if field not in Product.__struct_fields__:
            raise ValueError(f"{field!r} is no field of a Product")
    return columns


def _opened(open_engine: Any, url: Any) -> Any:
    try:
        # A connection may have been lost since it was last used: the database was restarted.
        engine = open_engine(url, pool_pre_ping=True)
        # One to a file costs little, and if kept would outlive the app, a fork and the file itself.
        is_file = engine.dialect.name == "sqlite" and isinstance(engine.pool, QueuePool)
        return open_engine(url, poolclass=NullPool) if is_file else engine
    except (SQLAlchemyError, ImportError) as error:
        raise CatalogError(f"the database of the catalog cannot be opened: {error}") from error


@contextlib.contextmanager
def _catalog_errors() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise CatalogError(f"the catalog in the database cannot be read: {reason}") from error
