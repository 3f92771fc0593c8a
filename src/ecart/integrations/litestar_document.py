"""The routes of the cart in the OpenAPI document of a Litestar app."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import OpenAPI

from ecart.http import Api
from ecart.http.openapi import embedded_document


def with_cart_routes(config: OpenAPIConfig, api: Api, prefix: str) -> OpenAPIConfig:
    """A copy of the app's configuration whose document has the cart's routes, too.

    A copy, since other apps may share the configuration.
    """

    def to_openapi_schema() -> OpenAPI:
        made = config.to_openapi_schema()
        own = {each.name: getattr(made, each.name) for each in fields(made)}
        return _WithCart(**own, cart=_document(api, prefix))

    copied = copy.copy(config)
    copied.to_openapi_schema = to_openapi_schema  # type: ignore[method-assign]
    return copied


@dataclass
class _WithCart(OpenAPI):
    """The app's document with the cart's paths and components."""

    cart: dict[str, Any] = field(default_factory=dict)

    @property
    def _exclude_fields(self) -> set[str]:
        return {"cart"}

    def to_schema(self) -> dict[str, Any]:
        document = super().to_schema()
        document["paths"] = {**document.get("paths", {}), **self.cart["paths"]}
        components = document.setdefault("components", {})
        for kind, own in self.cart["components"].items():
            components[kind] = {**components.get(kind, {}), **own}
        return document


def _document(api: Api, prefix: str) -> dict[str, Any]:
    document = embedded_document(api.routes, api.settings.rules, "ecart.")
    paths = {prefix + path: item for path, item in document["paths"].items()}
    return {"paths": paths, "components": document["components"]}
