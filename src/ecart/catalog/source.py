"""What may stand for a catalog where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ecart.catalog.file import FileCatalog
from ecart.catalog.given import CallableCatalog, SampleCatalog
from ecart.catalog.product import Catalog
from ecart.errors import CatalogError


def as_catalog(
    source: Catalog | Callable[[Sequence[str]], Any] | str | Path | None, currency: str = "USD"
) -> Catalog:
    """The catalog that `source` stands for: itself, a function, a file's path, a database's URL.

    None: the sample. `currency` is that of prices which come without one.

    Raises:
        CatalogError: a URL that no database can be opened by.
    """
    if source is None:
        return SampleCatalog(currency)
    if isinstance(source, str) and "://" in source:
        return _of_database(source, currency)
    if isinstance(source, str | Path):
        return FileCatalog(source, currency=currency)
    if isinstance(source, Catalog):
        adopt = getattr(source, "adopt_currency", None)
        if adopt is not None:
            adopt(currency)
        return source
    return CallableCatalog(source)


def _of_database(url: str, currency: str) -> Catalog:
    try:
        from ecart.catalog.sql import SqlCatalog
    except ImportError as error:
        raise CatalogError("a database as catalog needs: pip install 'ecart[sql]'") from error
    return SqlCatalog(url, currency=currency)
