"""What a shop sells, as far as a cart must know: the protocol, and the catalogs that come along.

A catalog is asked for many SKUs at once and answers for those it knows. Prices in HTTP come from
here and nowhere else.
"""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from ecart.errors import CatalogError
from ecart.model import OptionValue, check_sku, has_only_characters
from ecart.money import check_currency, parse_amount


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What is sold under a SKU.

    `unit_price` None: not priced yet. `max_quantity` limits one line. `options` names the choices
    a shopper has and the values of each; None accepts any.
    """

    sku: str
    title: str | None = None
    unit_price: Decimal | None = None
    currency: str = "USD"
    max_quantity: int | None = None
    image: str | None = None
    options: Mapping[str, Sequence[OptionValue]] | None = None


Products = Mapping[str, Product]


def check_product(product: Product) -> None:
    """Refuses a product that no cart could take: the catalog's fault, not the shopper's.

    Raises:
        ValueError: a field is not what `Product` says.
    """
    if product.unit_price is not None:
        parse_amount(product.unit_price)
    check_currency(product.currency)
    title, most = product.title, product.max_quantity
    if title is not None and not (isinstance(title, str) and has_only_characters(title, 0, 256)):
        raise ValueError("a title is at most 256 characters without control characters")
    if most is not None and not (type(most) is int and most >= 1):
        raise ValueError("max_quantity is a whole number, 1 or more")
    if not isinstance(product.image, str | None):
        raise ValueError("image is text")
    if not _are_choices(product.options):
        raise ValueError("options are names with a list of strings, integers, booleans or nulls")


def _are_choices(options: Any) -> bool:
    return options is None or (
        isinstance(options, Mapping)
        and all(
            isinstance(name, str)
            and isinstance(values, Sequence)
            and not isinstance(values, str)
            and all(isinstance(value, str | int | None) for value in values)
            for name, values in options.items()
        )
    )


@runtime_checkable
class Catalog(Protocol):
    """Tells what is sold. `lookup` may be a coroutine where the store is asynchronous."""

    def lookup(self, skus: Sequence[str], /) -> Products | Awaitable[Products]:
        """The products of those SKUs that are sold, by SKU.

        Raises:
            CatalogError: the catalog cannot be read now.
        """
        ...


class MappingCatalog:
    """A catalog of products given at once."""

    in_memory = True

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = {product.sku: product for product in products}

    def lookup(self, skus: Sequence[str], /) -> Products:
        """The products of those SKUs that are sold, by SKU."""
        return _known(self._products, skus)


class SampleCatalog(MappingCatalog):
    """A dozen groceries, for a first look. Nobody's real prices."""

    def __init__(self, currency: str = "USD") -> None:
        super().__init__(
            [
                Product(sku=sku, title=title, unit_price=Decimal(price), currency=currency)
                for sku, title, price in _SAMPLE
            ]
        )


_SAMPLE = (
    ("apple", "Apple", "0.50"),
    ("banana", "Banana", "0.25"),
    ("bread", "Sourdough bread", "4.20"),
    ("butter", "Butter, 250 g", "3.10"),
    ("cheese", "Alpine cheese, 200 g", "5.90"),
    ("chocolate", "Dark chocolate", "2.75"),
    ("coffee", "Coffee beans, 500 g", "11.40"),
    ("eggs", "Eggs, ten", "3.60"),
    ("honey", "Honey, 350 g", "6.80"),
    ("milk", "Milk, 1 l", "1.35"),
    ("olive-oil", "Olive oil, 750 ml", "9.95"),
    ("tea", "Green tea, 100 g", "4.85"),
)


class FileCatalog:
    """A CSV or JSON file of products, read again when it changes.

    CSV: a header line with `sku` and any of `title, unit_price, currency, max_quantity, image`.
    JSON: a list of objects with these names and `options`; prices as strings. A file that cannot
    be read is a `CatalogError`; so is one that changes into something unreadable.
    """

    in_memory = True

    def __init__(self, path: str | Path, *, currency: str = "USD") -> None:
        self.path = Path(path)
        self._currency = check_currency(currency)
        self._lock = threading.Lock()
        self._read_at: tuple[int, int, int] | None = None
        self._products: Products = {}

    def lookup(self, skus: Sequence[str], /) -> Products:
        """The products of those SKUs that are sold, by SKU."""
        with self._lock:
            return _known(self._current(), skus)

    def _current(self) -> Products:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._read_at:
                self._products = self._read()
                self._read_at = stamp
        except (OSError, ValueError, RecursionError) as error:
            raise CatalogError(f"the catalog {self.path.name} cannot be read: {error}") from error
        return self._products

    def _read(self) -> Products:
        text = self.path.read_text(encoding="utf-8-sig")
        rows = _json_rows(text) if self.path.suffix == ".json" else _csv_rows(text)
        products = [_product(row, number, self._currency) for number, row in enumerate(rows, 1)]
        by_sku = {product.sku: product for product in products}
        if len(by_sku) < len(products):
            raise ValueError("a SKU stands in it twice")
        return by_sku


class CallableCatalog:
    """A Python function as a catalog, sync or async: `def lookup(skus) -> {sku: Product}`."""

    def __init__(self, function: Callable[[Sequence[str]], Any]) -> None:
        self._function = function

    def lookup(self, skus: Sequence[str], /) -> Any:
        """What the function answers."""
        return self._function(skus)


def as_catalog(
    source: Catalog | Callable[[Sequence[str]], Any] | str | Path | None, currency: str = "USD"
) -> Catalog:
    """The catalog that `source` stands for: itself, a function, a file's path; None: the sample.

    `currency` is that of prices which a file or the sample gives without one.
    """
    if source is None:
        return SampleCatalog(currency)
    if isinstance(source, str | Path):
        return FileCatalog(source, currency=currency)
    if isinstance(source, Catalog):
        return source
    return CallableCatalog(source)


def _known(products: Products, skus: Sequence[str]) -> Products:
    return {sku: products[sku] for sku in skus if sku in products}


def _json_rows(text: str) -> list[Any]:
    rows = json.loads(text, parse_float=str)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("a JSON catalog is a list of objects")
    return rows


def _csv_rows(text: str) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if value not in (None, "")}
        for row in csv.DictReader(text.splitlines())
    ]


def _product(row: dict[str, Any], number: int, currency: str) -> Product:
    try:
        price, most = row.pop("unit_price", None), row.pop("max_quantity", None)
        product = Product(
            sku=check_sku(row.pop("sku", None)),
            unit_price=None if price is None else parse_amount(price),
            currency=check_currency(row.pop("currency", currency)),
            max_quantity=int(most) if isinstance(most, str) else most,
            title=row.pop("title", None),
            image=row.pop("image", None),
            options=row.pop("options", None),
        )
        check_product(product)
    except ValueError as error:
        raise ValueError(f"product {number}: {error}") from error
    if row:
        raise ValueError(f"product {number}: unknown column {next(iter(row))!r}")
    return product
