"""A shop with Django: `python examples/django_shop.py`, then http://localhost:5000.

From a checkout: `pip install '.[django]'`. Log in as ann, password "tea for two". Products and
users are in the SQLite file .ecart/shop.db, carts in the Redis or Valkey of ECART_REDIS_URL, by
default redis://localhost:6379/0.
"""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import include, path
from django.views.generic import TemplateView

from ecart.catalog import Product
from ecart.integrations.django import CartRequest

FOLDER = Path(".ecart")
ECART: dict[str, object] = {"CATALOG": f"{__name__}.look_up"}
PAGES = {
    "head.html": """{% load ecart %}<!doctype html><title>Shop</title>
<a href="/">Products</a> <a href="/basket">Cart ({% cart_badge %})</a>
{% if user.is_authenticated %}<form method=post action="/logout/">{% csrf_token %}
  {{ user }} <button>Log out</button></form>{% else %}<a href="/login/">Log in</a>{% endif %}""",
    "products.html": """{% include "head.html" %}<form method=post>{% csrf_token %}
{% for item in items %}<p><button name=sku value="{{ item.sku }}">
  {{ item.title }}, {{ item.price }}</button>{% endfor %}</form>""",
    "basket.html": """{% include "head.html" %}{% with view.request.cart.get as cart %}
{% for line in cart.lines %}<p>{{ line.quantity }} × {{ line.title }}{% endfor %}
<p>Together {{ cart.totals.subtotal }} {{ cart.currency }}{% endwith %}""",
    "registration/login.html": """{% include "head.html" %}<form method=post>{% csrf_token %}
{{ form }} <button>Log in</button></form>""",
}
OPTIONS = {
    "loaders": [
        ("django.template.loaders.locmem.Loader", PAGES),
        "django.template.loaders.app_directories.Loader",
    ],
    "context_processors": ["django.contrib.auth.context_processors.auth"],
}
APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for a first look"),
    DEBUG=True,
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[*APPS, "ecart.integrations.django"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "ecart.integrations.django.middleware.CartMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": OPTIONS}],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "shop.db"}},
    LOGIN_REDIRECT_URL="/basket",
    LOGOUT_REDIRECT_URL="/",
    ECART=ECART,
)
django.setup()


class Item(models.Model):
    sku: models.Field[str, str] = models.CharField(max_length=128, primary_key=True)
    title: models.Field[str, str] = models.CharField(max_length=256)
    price: models.Field[Decimal, Decimal] = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        app_label = "shop"


def look_up(skus: tuple[str, ...]) -> dict[str, Product]:
    items = Item.objects.filter(sku__in=skus)
    return {i.sku: Product(sku=i.sku, title=i.title, unit_price=i.price) for i in items}


def products(request: CartRequest) -> HttpResponse:
    if request.method == "POST":
        item = get_object_or_404(Item, sku=request.POST.get("sku"))
        request.cart.add(item.sku, unit_price=item.price, title=item.title)
        return redirect("/basket")
    return render(request, "products.html", {"items": Item.objects.order_by("title")})


urlpatterns = [
    path("", products),
    path("basket", TemplateView.as_view(template_name="basket.html")),
    path("", include("django.contrib.auth.urls")),
    path("", include("ecart.integrations.django.urls")),
]


if __name__ == "__main__":
    from django.contrib.auth.models import User

    FOLDER.mkdir(exist_ok=True)
    call_command("migrate", verbosity=0)
    if Item._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Item)
        Item(sku="mug", title="Mug <large>", price=Decimal("9.50")).save()
        Item(sku="pot", title="Tea pot", price=Decimal("24.00")).save()
        User.objects.create_user("ann", password="tea for two")
    serve = ["runserver", *(sys.argv[1:] or ["5000"]), "--noreload"]
    ECART["REDIS_URL"] = os.environ.get("ECART_REDIS_URL", "redis://localhost:6379/0")
    call_command(*serve)
