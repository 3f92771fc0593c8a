"""Small shops on Flask, Django and Litestar, for hostile requests; the carts are behind `URL`."""

from __future__ import annotations

import os
from typing import Any

from ecart import AsyncRedisStore
from ecart.http import HttpSettings

from .hostile_requests import OFFICE_KEY, SECRET
from .stack import URL


def flask_app() -> Any:
    """A WSGI app."""
    import flask

    from ecart.integrations.flask import ECart

    app = flask.Flask("shop")
    app.secret_key = SECRET
    app.config["ECART_OFFICE_KEYS"] = (OFFICE_KEY,)
    ECart(app, store=os.environ[URL])
    return app


def django_app() -> Any:
    """A WSGI app; sessions are signed cookies, so that no database is needed."""
    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application

    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="ecart.integrations.django.urls",
        INSTALLED_APPS=["django.contrib.sessions", "ecart.integrations.django"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "ecart.integrations.django.middleware.CartMiddleware",
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        ECART={"REDIS_URL": os.environ[URL], "OFFICE_KEYS": (OFFICE_KEY,)},
        LOGGING_CONFIG=None,
    )
    django.setup()
    return get_wsgi_application()


def litestar_app() -> Any:
    """An ASGI app."""
    from litestar import Litestar

    from ecart.integrations.litestar import ECart

    settings = HttpSettings(office_keys=(OFFICE_KEY,), accept_unknown_skus=True)
    plugin = ECart(AsyncRedisStore(os.environ[URL]), secret=SECRET, settings=settings)
    return Litestar(plugins=[plugin], openapi_config=None, logging_config=None)
