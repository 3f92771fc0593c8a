"""The bundled service."""

from __future__ import annotations

from clients.asgi import AsgiShop
from clients.shop import Setup
from ecart.service.app import create_app
from ecart.service.settings import ServiceSettings


class ServiceShop(AsgiShop):
    cookie = "ecart"

    def __init__(self, setup: Setup) -> None:
        settings = ServiceSettings(
            redis_url=setup.url,
            secrets=setup.secrets,
            catalog=None if setup.catalog is None else str(setup.catalog),
            currency=setup.currency,
            trusted_origins=setup.trusted_origins,
            office_keys=setup.office_keys,
            hold_seconds=setup.hold_seconds,
            keep_additions=setup.keep_additions,
        )
        self._begin(create_app(settings))
