"""A shop with Flask: `python examples/flask_shop.py`, then http://localhost:5000.

Needs `pip install 'ecart[flask,server]'`. Carts are in the folder .ecart, or in ECART_REDIS_URL.
"""

import os
from decimal import Decimal
from html import escape
from pathlib import Path

from flask import Flask, abort, redirect, request

from ecart.catalog import MappingCatalog, Product
from ecart.engine import open_engine
from ecart.integrations.flask import ECart, cart_from

MUG = Product(sku="mug", title="Mug <large>", unit_price=Decimal("9.50"))
POT = Product(sku="pot", title="Tea pot", unit_price=Decimal("24.00"))
PRODUCTS = {product.sku: product for product in (MUG, POT)}
PAGE = '<!doctype html><title>Shop</title><a href="/">Products</a> <a href="/basket">Cart</a>'
BUY = "<form method=post><button name=sku value={}>{}, {}</button></form>"


def create_app(store):
    app = Flask(__name__)
    app.secret_key = os.environ.get("SECRET_KEY", "only for a first look")
    # The form below changes the cart, so no other site's page may send it with our cookie.
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    ECart(app, store=store, catalog=MappingCatalog([*PRODUCTS.values()]))

    @app.get("/")
    def products():
        rows = [BUY.format(p.sku, escape(p.title), p.unit_price) for p in PRODUCTS.values()]
        return PAGE + "".join(rows)

    @app.post("/")
    def buy():
        product = PRODUCTS.get(request.form["sku"]) or abort(404)
        cart_from(request).add(product.sku, product.unit_price, title=product.title)
        return redirect("/basket")

    @app.get("/basket")
    def basket():
        cart = cart_from(request).get()
        rows = [f"<p>{line.quantity} × {escape(line.title or line.sku)}" for line in cart.lines]
        return PAGE + "".join(rows) + f"<p>Together {cart.totals().subtotal} {cart.currency}"

    return app


if __name__ == "__main__":
    if url := os.environ.get("ECART_REDIS_URL"):
        create_app(url).run()
    else:
        with open_engine(Path(".ecart")) as engine:
            create_app(engine.url).run()
