"""A CSV or JSON file as a catalog."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecart.catalog.product import Product, Products, known_of, product_of
from ecart.errors import CatalogError
from ecart.money import check_currency


class FileCatalog:
    """A CSV or JSON file of products, read again when it changes.

    CSV: a header line with `sku` and any of `title, unit_price, currency, max_quantity, image`.
    JSON: a list of objects with these names and `options`; prices as strings. `currency` is that of
    rows without one; else they have that of the settings. A file that cannot be read is a
    `CatalogError`; so is one that changes into something unreadable.
    """

    in_memory = True

    def __init__(self, path: str | Path, *, currency: str = "") -> None:
        self.path = Path(path)
        self._has_currency = bool(currency)
        self._currency = check_currency(currency or "USD")
        self._lock = threading.Lock()
        self._read_at: tuple[int, int, int] | None = None
        self._products: Products = {}

    def adopt_currency(self, currency: str) -> None:
        """Gives rows without a currency that of the settings, unless the catalog has its own."""
        with self._lock:
            if not self._has_currency and currency != self._currency:
                self._currency, self._read_at = check_currency(currency), None

    def lookup(self, skus: Sequence[str], /) -> Products:
        """The products of those SKUs that are sold, by SKU."""
        with self._lock:
            return known_of(self._current(), skus)

    def products(self) -> Sequence[Product]:
        """All of them, in the order of the file."""
        with self._lock:
            return tuple(self._current().values())

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
        text = self.path.read_bytes().decode("utf-8-sig")
        rows = _json_rows(text) if self.path.suffix.lower() == ".json" else _csv_rows(text)
        products = [_product(row, number, self._currency) for number, row in enumerate(rows, 1)]
        by_sku = {product.sku: product for product in products}
        if len(by_sku) < len(products):
            raise ValueError("a SKU stands in it twice")
        return by_sku


def _json_rows(text: str) -> list[Any]:
    rows = json.loads(text, parse_float=str)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("a JSON catalog is a list of objects")
    return rows


def _csv_rows(text: str) -> list[dict[str, Any]]:
    # Only CR and LF end a row, and not inside of quotes (RFC 4180 §2): the reader decides that.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return [
            {name: value for name, value in row.items() if value not in (None, "")}
            for row in reader
        ]
    except csv.Error as error:
        raise ValueError(f"after line {reader.line_num}: {error}") from error


def _product(row: dict[str, Any], number: int, currency: str) -> Product:
    try:
        product = product_of(row, currency)
    except ValueError as error:
        raise ValueError(f"product {number}: {error}") from error
    if row:
        raise ValueError(f"product {number}: unknown column {next(iter(row))!r}")
    return product
