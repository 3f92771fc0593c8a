"""A Litestar app with the cart beside handlers of its own."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from litestar import Litestar, MediaType, Request, get, post

from clients.asgi import AsgiShop, settings_of
from clients.shop import Setup, told
from ecart import AsyncCart, AsyncRedisStore
from ecart.integrations.litestar import ECart, sign_in, sign_out

__all__ = ["LitestarShop", "NamedDependency"]

try:
    from litestar.di import NamedDependency
except ImportError:  # an earlier Litestar goes by the argument's name alone
    NamedDependency = Annotated[TypeVar("T"), "named"]  # type: ignore[misc]


class LitestarShop(AsgiShop):
    cookie = "ecart"
    takes_any_method = False

    @staticmethod
    def build(setup: Setup, store: AsyncRedisStore | str) -> Litestar:
        settings = settings_of(setup)
        plugin = ECart(store, secret=setup.secrets, catalog=setup.catalog, settings=settings)
        views = [hello, gift, login, logout]
        # Its own logging would take the log away from the tests.
        return Litestar(views, plugins=[plugin], openapi_config=None, logging_config=None)


@get("/hello", media_type=MediaType.TEXT)
async def hello() -> str:
    return "hello"


@post("/gift", media_type=MediaType.TEXT, status_code=200)
async def gift(cart: NamedDependency[AsyncCart]) -> str:
    await cart.add("gift", unit_price="0.00")
    return cart.cart_id


@post("/login", status_code=200)
async def login(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return told(await sign_in(request, (await request.json())["user"]))


@post("/logout", media_type=MediaType.TEXT, status_code=200)
async def logout(request: Request[Any, Any, Any]) -> str:
    sign_out(request)
    return "bye"
