"""The bundled service."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from clients.asgi import AsgiShop
from ecart.http import HttpSettings
from ecart.operations import Rules
from ecart_server.app.application import create_app
from ecart_server.settings import ServiceSettings, StoreSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from clients.shop import Answer, Sent, Setup
    from ecart import AsyncRedisStore


class ServiceShop(AsgiShop):
    cookie = "ecart"

    def send(self, sent: Sent) -> Answer:
        """Without the name that each answer of the service has: the contract has none."""
        answer = super().send(sent)
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])
        rest = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        return replace(answer, headers=rest)

    @staticmethod
    def build(setup: Setup, store: AsyncRedisStore | str) -> Starlette:
        settings = ServiceSettings(
            secrets=setup.secrets,
            store=StoreSettings(url=setup.url),
            http=HttpSettings(
                rules=Rules(currency=setup.currency),
                accept_unknown_skus=setup.catalog is None,
                trusted_origins=frozenset(setup.trusted_origins),
                office_keys=setup.office_keys,
                hold_seconds=setup.hold_seconds,
                keep_additions=setup.keep_additions,
                first_ttl_seconds=setup.first_ttl,
            ),
            catalog=None if setup.catalog is None else str(setup.catalog),
            sweep_every=0,  # a service that runs for a minute sweeps, and these tests count keys
        )
        return create_app(settings)
