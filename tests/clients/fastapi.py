"""A FastAPI app with the cart beside endpoints of its own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.responses import PlainTextResponse

from clients.asgi import AsgiShop, settings_of
from clients.shop import Setup, told
from ecart import AsyncRedisStore
from ecart.integrations.fastapi import CartDep, ECart, sign_in, sign_out


class FastApiShop(AsgiShop):
    cookie = "ecart"

    @staticmethod
    def build(setup: Setup, store: AsyncRedisStore | str) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.add_api_route("/hello", hello)
        app.add_api_route("/gift", gift, methods=["POST"])
        app.add_api_route("/login", login, methods=["POST"])
        app.add_api_route("/logout", logout, methods=["POST"])
        settings = settings_of(setup)
        ecart = ECart(app, store, secret=setup.secrets, catalog=setup.catalog, settings=settings)
        app.include_router(ecart.router)
        return app


async def hello() -> PlainTextResponse:
    return PlainTextResponse("hello")


async def gift(cart: CartDep) -> PlainTextResponse:
    await cart.add("gift", unit_price="0.00")
    return PlainTextResponse(cart.cart_id)


async def login(request: Request, user: Annotated[Any, Body(embed=True)]) -> dict[str, Any]:
    return told(await sign_in(request, user))


async def logout(request: Request) -> PlainTextResponse:
    sign_out(request)
    return PlainTextResponse("bye")
