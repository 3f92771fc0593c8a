"""The routes of the contract in the OpenAPI document of a Litestar app."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import OpenAPI

from ecart.http import Api
from ecart.http.openapi import guest_document


def describing(config: OpenAPIConfig, api: Api, prefix: str) -> OpenAPIConfig:
    """A copy of the host's configuration, which other apps may have too, that tells of ours."""

    def to_openapi_schema() -> OpenAPI:
        made = config.to_openapi_schema()
        own = {each.name: getattr(made, each.name) for each in fields(made)}
        return _WithCart(**own, cart=_document(api, prefix))

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


def _document(api: Api, prefix: str) -> dict[str, Any]:
    document = guest_document(api.routes, api.settings.rules, "ecart.")
    paths = {prefix + path: item for path, item in document["paths"].items()}
    return {"paths": paths, "components": document["components"]}
