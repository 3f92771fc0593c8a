"""A shop with Starlette: `python examples/starlette_shop.py`, then http://localhost:5000.

From a checkout: `pip install '.[starlette]' uvicorn`. Carts are in the Redis or Valkey of
ECART_REDIS_URL, by default redis://localhost:6379/0.
"""

import os
from decimal import Decimal
from html import escape
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from ecart.catalog import MappingCatalog, Product
from ecart.integrations.starlette import ECart, cart_from, sign_in, sign_out

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


async def products(request: Request) -> HTMLResponse:
    rows = [BUY.format(p.sku, escape(p.title or p.sku), p.unit_price) for p in (MUG, POT)]
    return HTMLResponse(PAGE + "".join(rows) + LOG_IN + SCRIPT)


async def basket(request: Request) -> HTMLResponse:
    cart = await cart_from(request).get()
    rows = [f"<p>{line.quantity} × {escape(line.title or line.sku)}" for line in cart.lines]
    total = f"<p>Together {cart.totals().subtotal} {cart.currency}"
    return HTMLResponse(PAGE + "".join(rows) + total + LOG_IN + SCRIPT)


async def login(request: Request) -> JSONResponse:
    user = (await request.json())["user"]  # whom a real shop asks for a password first
    done = await sign_in(request, str(user) or "nobody")
    return JSONResponse({"added": done.report.added, "refused": done.refused})


async def logout(request: Request) -> JSONResponse:
    sign_out(request)
    return JSONResponse({})


def create_app(store: Any) -> Starlette:
    routes = [
        Route("/", products),
        Route("/basket", basket),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    secret = os.environ.get("SECRET_KEY", "only for a first look")
    ECart(app, store, secret=secret, catalog=MappingCatalog([MUG, POT]))
    return app


if __name__ == "__main__":
    url = os.environ.get("ECART_REDIS_URL", "redis://localhost:6379/0")
    uvicorn.run(create_app(url), port=5000)
