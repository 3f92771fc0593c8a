"""One small adapter per framework behind one face, so that no HTTP test names a framework.

A `Shop` is one deployment of the contract on a real engine; a `Shopper` is one client of it, with
a cookie jar of its own. An adapter says only how its framework is set up and how it takes a
request.
"""

import pytest

from clients.shop import Answer, Sent, Setup, Shop, Shopper

__all__ = [
    "ALL",
    "INTEGRATIONS",
    "SERVED",
    "SERVICE",
    "TWO",
    "Answer",
    "Sent",
    "Setup",
    "Shop",
    "Shopper",
]

# Module here, class in it, package without which it is skipped.
SERVICE = pytest.param(("service", "ServiceShop", "starlette"), id="service")
STARLETTE = pytest.param(("starlette", "StarletteShop", "starlette"), id="starlette")
FASTAPI = pytest.param(("fastapi", "FastApiShop", "fastapi"), id="fastapi")
LITESTAR = pytest.param(("litestar", "LitestarShop", "litestar"), id="litestar")
ASGI = pytest.param(("plain_asgi", "PlainAsgiShop", "itsdangerous"), id="asgi")
WSGI = pytest.param(("wsgi", "WsgiShop", "itsdangerous"), id="wsgi")
FLASK = pytest.param(("flask", "FlaskShop", "flask"), id="flask")
DJANGO = pytest.param(("django", "DjangoShop", "django"), id="django")
DJANGO_ASYNC = pytest.param(("django", "AsyncDjangoShop", "django"), id="django-async")

ALL = [SERVICE, STARLETTE, FASTAPI, LITESTAR, ASGI, WSGI, FLASK, DJANGO, DJANGO_ASYNC]
INTEGRATIONS = [STARLETTE, FASTAPI, LITESTAR, ASGI, WSGI, FLASK, DJANGO, DJANGO_ASYNC]
"""Those that take any catalog and stand beside views of the app's own."""
SERVED = [one for one in INTEGRATIONS if one is not DJANGO_ASYNC]
"""Those that `clients.live` serves; Django on ASGI is served in a process of its own."""
TWO = [SERVICE, FLASK]
"""Enough for long tables: one asynchronous, one not."""
