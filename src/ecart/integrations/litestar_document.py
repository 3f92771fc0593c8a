"""The routes of the contract in the OpenAPI document of a Litestar app."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import OpenAPI

from ecart.http import HttpSettings
from ecart.http.openapi import guest_document
from ecart.http.routes import OFFICE_ROUTES, SHOPPER_ROUTES


def describing(config: OpenAPIConfig, settings: HttpSettings, prefix: str) -> OpenAPIConfig:
    """A copy of the host's configuration, which other apps may have too, that tells of ours."""

    def to_openapi_schema() -> OpenAPI:
        made = config.to_openapi_schema()
        own = {each.name: getattr(made, each.name) for each in fields(made)}
        return _WithCart(**own, cart=_document(settings, prefix))

    described = copy.copy(config)
    described.to_openapi_schema = to_openapi_schema  # type: ignore[method-assign]
    return described


@dataclass
class _WithCart(OpenAPI):
    """The host's document, and ours in it."""

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


def _document(settings: HttpSettings, prefix: str) -> dict[str, Any]:
    routes = SHOPPER_ROUTES + (OFFICE_ROUTES if settings.office_keys else ())
    document = guest_document(routes, settings.rules, "ecart.")
    paths = {prefix + path: item for path, item in document["paths"].items()}
    return {"paths": paths, "components": document["components"]}
