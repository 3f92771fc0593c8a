"""Runs the HTTP contract on a store and a catalog: what all integrations share."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ecart.catalog import Catalog, ListedCatalog, Product, Products
from ecart.errors import CatalogError
from ecart.flows import Perform, Quote
from ecart.http import Api, HttpSettings, Request, Response
from ecart.store import AsyncStore, Store, run, run_async


def is_of_cart(path: str, settings: HttpSettings) -> bool:
    """Whether a path is the contract's to answer, and no other app's."""
    if path.startswith("/carts/"):
        return bool(settings.office_keys)
    return path == "/cart" or path.startswith("/cart/")


def answer(api: Api, store: Store, catalog: Catalog, request: Request) -> Response:
    """The response, from a sync store and catalog."""

    def do(step: Perform | Quote) -> Any:
        if isinstance(step, Perform):
            return store.execute(step.cart_id, step.operation)
        return _checked(lambda: catalog.lookup(step.skus))

    return run(api.handle(request), do)


def answer_async(
    api: Api, store: AsyncStore, catalog: Catalog, request: Request
) -> Awaitable[Response]:
    """The response, from an async store; a catalog that may block is asked in a thread."""

    def do(step: Perform | Quote) -> Awaitable[Any]:
        if isinstance(step, Perform):
            return store.execute(step.cart_id, step.operation)
        return _looked_up(catalog, step.skus)

    return run_async(api.handle(request), do)


async def _looked_up(catalog: Catalog, skus: tuple[str, ...]) -> Products:
    if getattr(catalog, "in_memory", False):
        return _checked(lambda: catalog.lookup(skus))
    try:
        found = await asyncio.to_thread(catalog.lookup, skus)
        products = await found if inspect.isawaitable(found) else found
    except Exception as error:
        raise _as_catalog_error(error) from error
    return _checked(lambda: products)


async def list_products(catalog: Catalog) -> tuple[Product, ...] | None:
    """All that the catalog sells; None from one that cannot tell.

    Raises:
        CatalogError: it cannot be read, or what it told is no products.
    """
    if not isinstance(catalog, ListedCatalog):
        return None
    try:
        if getattr(catalog, "in_memory", False):
            listed = catalog.products()
        else:
            listed = await asyncio.to_thread(catalog.products)
        products = await listed if inspect.isawaitable(listed) else listed
        return tuple(_checked(lambda: {product.sku: product for product in products}).values())
    except Exception as error:
        raise _as_catalog_error(error) from error


def _checked(look_up: Callable[[], Any]) -> Products:
    """What a catalog answered, if it is products; whatever else it did is a `CatalogError`."""
    try:
        products = look_up()
    except Exception as error:
        raise _as_catalog_error(error) from error
    if type(products) is not dict and not isinstance(products, Mapping):
        raise CatalogError("the catalog answered with something that is no mapping")
    for sku, product in products.items():
        if not isinstance(product, Product):
            raise CatalogError(
                f"the catalog answered for {sku!r} with something that is no Product"
            )
    return products


def _as_catalog_error(error: Exception) -> CatalogError:
    return error if isinstance(error, CatalogError) else CatalogError(repr(error))
