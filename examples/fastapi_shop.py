"""A shop with FastAPI: `python examples/fastapi_shop.py`, then http://localhost:5000 and /docs.

From a checkout: `pip install '.[fastapi]' uvicorn`. Carts are in the Redis or Valkey of
ECART_REDIS_URL, by default redis://localhost:6379/0.
"""

import os
from decimal import Decimal
from html import escape
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from ecart.catalog import MappingCatalog, Product
from ecart.integrations.fastapi import CartDep, ECart, SyncCartDep, sign_in, sign_out

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


class Credentials(BaseModel):
    """Whom a real shop asks for a password, too."""

    user: str


class LoggedIn(BaseModel):
    added: int
    refused: str | None


def products() -> str:
    rows = [BUY.format(p.sku, escape(p.title or p.sku), p.unit_price) for p in (MUG, POT)]
    return PAGE + "".join(rows) + LOG_IN + SCRIPT


async def basket(cart: CartDep) -> str:
    shown = await cart.get()
    rows = [f"<p>{line.quantity} × {escape(line.title or line.sku)}" for line in shown.lines]
    total = f"<p>Together {shown.totals().subtotal} {shown.currency}"
    return PAGE + "".join(rows) + total + LOG_IN + SCRIPT


def badge(cart: SyncCartDep) -> int:
    """How many units, by a `def` endpoint."""
    return cart.summary().total_quantity


async def login(request: Request, credentials: Credentials) -> LoggedIn:
    done = await sign_in(request, credentials.user or "nobody")
    return LoggedIn(added=done.report.added, refused=done.refused)


async def logout(request: Request) -> None:
    sign_out(request)


def create_app(store: Any) -> FastAPI:
    app = FastAPI(title="Shop")
    app.get("/", response_class=HTMLResponse)(products)
    app.get("/basket", response_class=HTMLResponse)(basket)
    app.get("/badge")(badge)
    app.post("/login")(login)
    app.post("/logout")(logout)
    secret = os.environ.get("SECRET_KEY", "only for a first look")
    ecart = ECart(app, store, secret=secret, catalog=MappingCatalog([MUG, POT]))
    app.include_router(ecart.router)
    return app


if __name__ == "__main__":
    url = os.environ.get("ECART_REDIS_URL", "redis://localhost:6379/0")
    uvicorn.run(create_app(url), port=5000)
