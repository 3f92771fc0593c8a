"""A Starlette app with the cart beside views of its own."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from clients.asgi import AsgiShop, settings_of
from clients.shop import Setup, told
from ecart import AsyncRedisStore
from ecart.integrations.starlette import ECart, cart_from, sign_in, sign_out


class StarletteShop(AsgiShop):
    cookie = "ecart"

    @staticmethod
    def build(setup: Setup, store: AsyncRedisStore | str) -> Starlette:
        app = Starlette(routes=VIEWS)
        settings = settings_of(setup)
        ECart(app, store, secret=setup.secrets, catalog=setup.catalog, settings=settings)
        return app


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def gift(request: Request) -> PlainTextResponse:
    cart = cart_from(request)
    await cart.add("gift", unit_price="0.00")
    return PlainTextResponse(cart.cart_id)


async def login(request: Request) -> JSONResponse:
    done = await sign_in(request, (await request.json())["user"])
    return JSONResponse(told(done))


async def logout(request: Request) -> PlainTextResponse:
    sign_out(request)
    return PlainTextResponse("bye")


VIEWS = [
    Route("/hello", hello),
    Route("/gift", gift, methods=["POST"]),
    Route("/login", login, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
]
