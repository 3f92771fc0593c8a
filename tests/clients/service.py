"""The bundled service."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from clients.asgi import AsgiShop
from ecart_server.app.application import create_app
from ecart_server.settings import ServiceSettings

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
            redis_url=setup.url,
            secrets=setup.secrets,
            catalog=None if setup.catalog is None else str(setup.catalog),
            currency=setup.currency,
            trusted_origins=setup.trusted_origins,
            office_keys=setup.office_keys,
            hold_seconds=setup.hold_seconds,
            keep_additions=setup.keep_additions,
            first_ttl_seconds=setup.first_ttl,
            sweep_every=0,  # a service that runs for a minute sweeps, and these tests count keys
        )
        return create_app(settings)
