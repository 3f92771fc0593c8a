"""A Starlette app with the cart beside views of its own."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from clients.asgi import AsgiShop
from clients.shop import Setup
from ecart import AsyncRedisStore
from ecart.http import HttpSettings
from ecart.integrations.starlette import ECart, cart_from
from ecart.operations import Rules


class StarletteShop(AsgiShop):
    cookie = "ecart"

    def __init__(self, setup: Setup) -> None:
        self._client = None
        if setup.patience is None:
            self._store = AsyncRedisStore(setup.url)
        else:
            self._client = Redis.from_url(
                setup.url, socket_timeout=setup.patience / 2, retry=Retry(NoBackoff(), 0)
            )
            self._store = AsyncRedisStore(self._client, deadline=setup.patience)
        app = Starlette()
        app.add_route("/hello", hello)
        app.add_route("/gift", gift, methods=["POST"])
        settings = HttpSettings(
            rules=Rules(currency=setup.currency),
            accept_unknown_skus=setup.catalog is None,
            trusted_origins=frozenset(setup.trusted_origins),
            office_keys=setup.office_keys,
            hold_seconds=setup.hold_seconds,
            keep_additions=setup.keep_additions,
        )
        ECart(app, self._store, secret=setup.secrets, catalog=setup.catalog, settings=settings)
        self._begin(app)

    def close(self) -> None:
        self.wait_for(self._store.close() if self._client is None else self._client.aclose())
        super().close()


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def gift(request: Request) -> PlainTextResponse:
    cart = cart_from(request)
    await cart.add("gift", "0.00")
    return PlainTextResponse(cart.cart_id)
