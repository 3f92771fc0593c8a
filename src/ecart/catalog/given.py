"""Catalogs that a program gives: products, a function, and the sample for a first look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from ecart.catalog.product import Product, Products, known_of


class MappingCatalog:
    """A catalog of products given at once."""

    in_memory = True

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = {product.sku: product for product in products}

    def adopt_currency(self, currency: str) -> None:
        """Gives products without a currency that of the settings."""
        self._products = {
            sku: product if product.currency else replace(product, currency=currency)
            for sku, product in self._products.items()
        }

    def lookup(self, skus: Sequence[str], /) -> Products:
        """The products of those SKUs that are sold, by SKU."""
        return known_of(self._products, skus)

    def products(self) -> Sequence[Product]:
        """All of them, in the order given."""
        return tuple(self._products.values())


class SampleCatalog(MappingCatalog):
    """A dozen groceries to try a cart with; the prices are made up."""

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


class CallableCatalog:
    """A Python function as a catalog, sync or async: `def lookup(skus) -> {sku: Product}`."""

    def __init__(self, function: Callable[[Sequence[str]], Any]) -> None:
        self._function = function

    def lookup(self, skus: Sequence[str], /) -> Any:
        """What the function answers."""
        return self._function(skus)
