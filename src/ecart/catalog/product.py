"""What is sold under a SKU, what a catalog is, and how a row of one becomes a product."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec
from msgspec.structs import replace

from ecart.errors import InvalidOptionsError
from ecart.model import OptionValue, check_sku, has_only_characters
from ecart.money import check_currency, parse_amount


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What is sold under a SKU.

    `unit_price` None: not priced yet. `max_quantity` limits one line. `options` names the choices
    a shopper has and the values of each; None accepts any. Without a `currency` it has that of the
    settings of whoever sells it.

    Raises:
        ValueError: no cart could take it. That is the catalog's fault, and no shopper's.
    """

    sku: str
    title: str | None = None
    unit_price: Decimal | None = None
    currency: str = ""
    max_quantity: int | None = None
    image: str | None = None
    options: Mapping[str, Sequence[OptionValue]] | None = None

    def __post_init__(self) -> None:
        if self.unit_price is not None:
            parse_amount(self.unit_price)
        if self.currency != "":
            check_currency(self.currency)
        title, most = self.title, self.max_quantity
        if title is not None and not (
            isinstance(title, str) and has_only_characters(title, 0, 256)
        ):
            raise ValueError("a title is at most 256 characters without control characters")
        if most is not None and not (type(most) is int and most >= 1):
            raise ValueError("max_quantity is a whole number, 1 or more")
        if not isinstance(self.image, str | None):
            raise ValueError("image is text")
        if not _are_choices(self.options):
            raise ValueError(
                "options are names with a list of strings, integers, booleans or nulls"
            )


Products = Mapping[str, Product]

RulesLike = TypeVar("RulesLike", bound=Any)


def check_choice(product: Product, options: Any) -> None:
    """Refuses options that the product does not have.

    Raises:
        InvalidOptionsError: a name, or a value of one, that its `options` do not list.
    """
    if not isinstance(options, Mapping):
        raise InvalidOptionsError("options are an object of names and values")
    if product.options is None:
        return  # any choice goes; AddItem refuses what is no choice at all
    for name, value in options.items():
        # True == 1 in Python; a shopper who may choose 1 may not choose true.
        choices = product.options.get(name, ())
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise InvalidOptionsError(f"{product.sku!r} has no such {str(name)[:64]!r}")


def limited(rules: RulesLike, product: Product) -> RulesLike:
    """The rules with the product's `max_quantity`, where that is less."""
    if product.max_quantity is None or product.max_quantity >= rules.max_quantity:
        return rules
    return replace(rules, max_quantity=product.max_quantity)


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


def product_of(row: dict[str, Any], currency: str) -> Product:
    """The product in a row of names as `Product` has them, which are taken out of it.

    A row without a currency has the one given.

    Raises:
        ValueError: a field has a type or value that `Product` does not allow.
    """
    price, most = row.pop("unit_price", None), row.pop("max_quantity", None)
    return Product(
        sku=check_sku(row.pop("sku", None)),
        unit_price=None if price is None else parse_amount(price),
        currency=row.pop("currency", currency),
        max_quantity=int(most) if isinstance(most, str) else most,
        title=row.pop("title", None),
        image=row.pop("image", None),
        options=row.pop("options", None),
    )


@runtime_checkable
class Catalog(Protocol):
    """What a shop sells, by SKU. `lookup` may be a coroutine where the store is asynchronous."""

    def lookup(self, skus: Sequence[str], /) -> Products | Awaitable[Products]:
        """The products of those SKUs that are sold, by SKU.

        Raises:
            CatalogError: the catalog cannot be read now.
        """
        ...


@runtime_checkable
class ListedCatalog(Catalog, Protocol):
    """A catalog that can also show all that it sells, as a shop's page does."""

    def products(self) -> Sequence[Product] | Awaitable[Sequence[Product]]:
        """Everything that is sold, in the order in which to show it.

        Raises:
            CatalogError: the catalog cannot be read now.
        """
        ...


def known_of(products: Products, skus: Sequence[str]) -> Products:
    """Those of the products that were asked for, in the order asked for."""
    return {sku: products[sku] for sku in skus if sku in products}
