"""A shop with Flask: `python examples/flask_shop.py`, then http://localhost:5000.

From a checkout: `pip install '.[flask,sql]'`. Products are in the SQLite file .ecart/shop.db, carts
in the Redis or Valkey of ECART_REDIS_URL, by default redis://localhost:6379/0.
"""

import os
from contextlib import suppress
from pathlib import Path

from flask import Flask, abort, redirect, render_template_string, request, session
from sqlalchemy import create_engine, text
from werkzeug import Response

from ecart.catalog.sql import SqlCatalog
from ecart.errors import LineNotFoundError
from ecart.integrations.flask import ECart, current_cart, sign_in, sign_out
from ecart.money import display_text

TABLE = """CREATE TABLE IF NOT EXISTS products (
  sku TEXT PRIMARY KEY, title TEXT, unit_price NUMERIC(12, 2), max_quantity INTEGER)"""
WARES = """INSERT INTO products VALUES
  ('mug', 'Mug <large>', 9.50, NULL), ('pot', 'Tea pot', 24.00, 2)
  ON CONFLICT DO NOTHING"""

# What is between braces is escaped: a template from a string is HTML, as a file *.html is.
HEAD = """<!doctype html><title>Shop</title>
<a href="/">Products</a>
<a href="/basket">Cart ({{ current_cart.summary().total_quantity }})</a>
<form method=post action="/{{ 'logout' if 'user' in session else 'login' }}">
  {% if 'user' in session %}{{ session.user }}<button>Log out</button>
  {% else %}<input name=user required placeholder="Any name"><button>Log in</button>{% endif %}
</form>"""
PRODUCTS = """{% for product in products %}
<form method=post>
  <button name=sku value="{{ product.sku }}">{{ product.title }},
    {{ product.unit_price|money(product.currency) }}</button>
</form>{% endfor %}"""
BASKET = """{% for line in cart.lines %}
<form method=post>{{ line.quantity }} × {{ line.title or line.sku }}
  <button name=line value="{{ line.line_id }}">Remove</button></form>
{% else %}<p>Nothing yet.{% endfor %}
<p>Together {{ cart.totals().subtotal }} {{ cart.currency }}"""


def create_app(store: str, database: str) -> Flask:
    app = Flask(__name__)
    app.secret_key = os.environ.get("SECRET_KEY", "only for a first look")
    # The forms below change the cart, so no other site's page may send them with our cookie.
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text(TABLE))
        connection.execute(text(WARES))
    catalog = SqlCatalog(engine)
    ECart(app, store=store, catalog=catalog)
    app.add_template_filter(display_text, "money")

    @app.get("/")
    def products() -> str:
        with engine.connect() as connection:
            skus = connection.scalars(text("SELECT sku FROM products ORDER BY title")).all()
        return render_template_string(HEAD + PRODUCTS, products=catalog.lookup(skus).values())

    @app.post("/")
    def buy() -> Response:
        product = catalog.lookup([request.form["sku"]]).get(request.form["sku"]) or abort(404)
        current_cart.add(product.sku, unit_price=product.unit_price, title=product.title)
        return redirect("/basket")

    @app.get("/basket")
    def basket() -> str:
        return render_template_string(HEAD + BASKET, cart=current_cart.get())

    @app.post("/basket")
    def remove() -> Response:
        with suppress(LineNotFoundError):  # another tab was faster
            current_cart.remove(request.form["line"])
        return redirect("/basket")

    @app.post("/login")
    def log_in() -> Response:
        session["user"] = request.form["user"][:64] or abort(400)  # a real shop wants a password
        sign_in(request, session["user"])
        return redirect("/basket")

    @app.post("/logout")
    def log_out() -> Response:
        session.pop("user", None)
        sign_out(request)
        return redirect("/")

    return app


if __name__ == "__main__":
    folder = Path(".ecart")
    folder.mkdir(exist_ok=True)
    shop = f"sqlite:///{folder / 'shop.db'}"
    url = os.environ.get("ECART_REDIS_URL", "redis://localhost:6379/0")
    create_app(url, shop).run()
