"""The Jinja environment of the pages: everything is escaped, and an unknown name is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecart_server.pages.formatting import FILTERS
from ecart_server.pages.prefix import at

if TYPE_CHECKING:
    from jinja2 import Environment


def make_environment(package: str) -> Environment:
    """The templates in a package's folder `templates`, with the filters of `formatting`."""
    # Imported with the first page: a service that only answers the API never needs Jinja.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals["at"] = at
    return environment
