"""A plain ASGI app with the cart around it."""

from __future__ import annotations

import json
from typing import Any

from clients.asgi import AsgiShop, settings_of
from clients.shop import Setup, told
from ecart import AsyncRedisStore
from ecart.integrations.asgi import ECart, cart_from, sign_in, sign_out


class PlainAsgiShop(AsgiShop):
    cookie = "ecart"

    @staticmethod
    def build(setup: Setup, store: AsyncRedisStore | str) -> ECart:
        settings = settings_of(setup)
        return ECart(host, store, secret=setup.secrets, catalog=setup.catalog, settings=settings)


async def host(scope: Any, receive: Any, send: Any) -> None:
    """The host's own views, as a small app without a framework has them."""
    if scope["type"] == "lifespan":
        for name in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{name}.complete"})
        return
    methods, view = VIEWS.get(scope["path"], ((), None))
    status, body = (404 if view is None else 405), b""
    if view is not None and scope["method"] in methods:
        status, body = 200, (await view(scope, receive)).encode()
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def hello(scope: Any, receive: Any) -> str:
    return "hello"


async def gift(scope: Any, receive: Any) -> str:
    cart = cart_from(scope)
    await cart.add("gift", unit_price="0.00")
    return cart.cart_id


async def login(scope: Any, receive: Any) -> str:
    body = json.loads((await receive())["body"])
    return json.dumps(told(await sign_in(scope, body["user"])))


async def logout(scope: Any, receive: Any) -> str:
    sign_out(scope)
    return "bye"


VIEWS: dict[str, Any] = {
    "/hello": (("GET",), hello),
    "/gift": (("POST",), gift),
    "/login": (("POST",), login),
    "/logout": (("POST",), logout),
}
