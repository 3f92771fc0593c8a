"""What a shop sells, as far as a cart must know: the protocol, and the catalogs that come along.

A catalog is asked for many SKUs at once and answers for those it knows. Prices in HTTP come from
here and nowhere else. That of a database is in `ecart.catalog.sql`, which needs SQLAlchemy.
"""

from ecart.catalog.file import FileCatalog
from ecart.catalog.given import CallableCatalog, MappingCatalog, SampleCatalog
from ecart.catalog.product import Catalog, ListedCatalog, Product, Products
from ecart.catalog.source import as_catalog

__all__ = [
    "CallableCatalog",
    "Catalog",
    "FileCatalog",
    "ListedCatalog",
    "MappingCatalog",
    "Product",
    "Products",
    "SampleCatalog",
    "as_catalog",
]
