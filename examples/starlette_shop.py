"""A shop with Starlette: `python examples/starlette_shop.py`, then http://localhost:5000.

Needs `pip install 'ecart[server]'`. Carts are in the folder .ecart, or in ECART_REDIS_URL.
"""

import os
from decimal import Decimal
from html import escape
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from ecart.catalog import MappingCatalog, Product
from ecart.engine import open_engine
from ecart.integrations.starlette import ECart, cart_from

MUG = Product(sku="mug", title="Mug <large>", unit_price=Decimal("9.50"))
POT = Product(sku="pot", title="Tea pot", unit_price=Decimal("24.00"))
PAGE = '<!doctype html><title>Shop</title><a href="/">Products</a> <a href="/basket">Cart</a>'
BUY = "<p><button value={}>{}, {}</button>"
SCRIPT = """<script>
for (const button of document.querySelectorAll("button")) button.onclick = async () => {
  const headers = {"Content-Type": "application/json"};
  await fetch("/cart/items", {method: "POST", headers, body: JSON.stringify({sku: button.value})});
  location = "/basket";
};
</script>"""


async def products(request):
    rows = [BUY.format(p.sku, escape(p.title), p.unit_price) for p in (MUG, POT)]
    return HTMLResponse(PAGE + "".join(rows) + SCRIPT)


async def basket(request):
    cart = await cart_from(request).get()
    rows = [f"<p>{line.quantity} × {escape(line.title or line.sku)}" for line in cart.lines]
    total = f"<p>Together {cart.totals().subtotal} {cart.currency}"
    return HTMLResponse(PAGE + "".join(rows) + total)


def create_app(store):
    app = Starlette(routes=[Route("/", products), Route("/basket", basket)])
    secret = os.environ.get("SECRET_KEY", "only for a first look")
    ECart(app, store, secret=secret, catalog=MappingCatalog([MUG, POT]))
    return app


if __name__ == "__main__":
    if url := os.environ.get("ECART_REDIS_URL"):
        uvicorn.run(create_app(url), port=5000)
    else:
        with open_engine(Path(".ecart")) as engine:
            uvicorn.run(create_app(engine.url), port=5000)
