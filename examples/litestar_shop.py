"""A shop with Litestar: `python examples/litestar_shop.py`, then http://localhost:5000.

From a checkout: `pip install '.[litestar]' uvicorn`. Carts are in the Redis or Valkey of
ECART_REDIS_URL, by default redis://localhost:6379/0.
"""

import os
from decimal import Decimal
from html import escape
from typing import Any

import msgspec
import uvicorn
from litestar import Litestar, MediaType, Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from ecart import AsyncCart
from ecart.catalog import MappingCatalog, Product
from ecart.http.views import CartView, cart_view
from ecart.integrations.litestar import ECart, sign_in, sign_out

MUG = Product(sku="mug", title="Mug <large>", unit_price=Decimal("9.50"))
POT = Product(sku="pot", title="Tea pot", unit_price=Decimal("24.00"))
PAGE = '<!doctype html><title>Shop</title><a href="/">Products</a> <a href="/basket">Cart</a>'
BUY = "<p><button onclick=\"send('/cart/items', {{sku: '{}'}})\">{}, {}</button>"
# No other site's page can send JSON with our cookie.
SCRIPT = """<script>
async function send(path, body) {
  const headers = {"Content-Type": "application/json"};
  const answer = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
  if (answer.ok) location = "/basket"; else alert((await answer.json()).detail);
}
</script>"""
LOG_IN = """<p><input id=who placeholder="your name">
<button onclick="send('/login', {user: who.value})">Log in</button>
<button onclick="send('/logout', {})">Log out</button>"""


class Credentials(msgspec.Struct):
    """Whom a real shop asks for a password, too."""

    user: str


class LoggedIn(msgspec.Struct):
    added: int
    refused: str | None


@get("/", media_type=MediaType.HTML)
async def products() -> str:
    rows = [BUY.format(p.sku, escape(p.title or p.sku), p.unit_price) for p in (MUG, POT)]
    return PAGE + "".join(rows) + LOG_IN + SCRIPT


@get("/basket", media_type=MediaType.HTML)
async def basket(cart: NamedDependency[AsyncCart]) -> str:
    shown = await cart.get()
    rows = [f"<p>{line.quantity} × {escape(line.title or line.sku)}" for line in shown.lines]
    total = f"<p>Together {shown.totals().subtotal} {shown.currency}"
    return PAGE + "".join(rows) + total + LOG_IN + SCRIPT


@get("/basket.json")
async def basket_json(cart: NamedDependency[AsyncCart]) -> CartView:
    """The same as a struct, which Litestar writes as it is."""
    return cart_view(await cart.get())


@post("/login", status_code=200)
async def login(request: Request[Any, Any, Any], data: JSONBody[Credentials]) -> LoggedIn:
    done = await sign_in(request, data.user or "nobody")
    return LoggedIn(done.report.added, done.refused)


@post("/logout", status_code=200)
async def logout(request: Request[Any, Any, Any]) -> None:
    sign_out(request)


def create_app(store: Any) -> Litestar:
    secret = os.environ.get("SECRET_KEY", "only for a first look")
    ecart = ECart(store, secret=secret, catalog=MappingCatalog([MUG, POT]))
    return Litestar([products, basket, basket_json, login, logout], plugins=[ecart])


if __name__ == "__main__":
    url = os.environ.get("ECART_REDIS_URL", "redis://localhost:6379/0")
    uvicorn.run(create_app(url), port=5000)
