"""A Django site with the cart beside views of its own, on WSGI and on ASGI.

A process has one Django with one set of settings: a shop puts its own in before it is asked.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test.utils import override_settings
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.test import Client

from clients.asgi import ask
from clients.shop import Answer, Sent, Setup, Shop, told
from ecart import AsyncRedisStore, RedisStore
from ecart.integrations.django import cart_from, sign_in, sign_out
from ecart.integrations.django.state import host

FOLDER = tempfile.TemporaryDirectory(prefix="ecart-django-")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ecart.integrations.django.middleware.CartMiddleware",
]
"""What a site has, and what could get in the way of the contract."""

if not settings.configured:
    settings.configure(
        SECRET_KEY="a secret of the tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="clients.django",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "ecart.integrations.django",
        ],
        MIDDLEWARE=MIDDLEWARE,
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        SECURE_REFERRER_POLICY=None,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": Path(FOLDER.name) / "site.db",
                "OPTIONS": {"transaction_mode": "IMMEDIATE"},
            }
        },
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "ecart.integrations.django.context_processors.cart",
                    ]
                },
            }
        ],
        LOGGING={
            "version": 1,
            "disable_existing_loggers": False,
            "loggers": {"django": {"level": "CRITICAL"}},
        },
        # That of a site in a process of its own; a shop has its own store.
        ECART={"REDIS_URL": os.environ.get("SITE_REDIS_URL", "unix://nowhere")},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # fast
    )
    django.setup()


class DjangoShop(Shop):
    """On WSGI."""

    cookie = "sessionid"
    urls = "clients.django"
    _present: ClassVar[DjangoShop | None] = None

    def __init__(self, setup: Setup) -> None:
        self._open(setup)
        secret, *fallbacks = setup.secrets
        self._settings = override_settings(
            SECRET_KEY=secret,
            SECRET_KEY_FALLBACKS=fallbacks,
            ROOT_URLCONF=self.urls,
            ECART={
                "STORE": self._store,
                "ASYNC_STORE": self._async_store,
                "CATALOG": setup.catalog,
                "CURRENCY": setup.currency,
                "TRUSTED_ORIGINS": setup.trusted_origins,
                "OFFICE_KEYS": setup.office_keys,
                "HOLD": setup.hold_seconds,
                "KEEP_ADDITIONS": setup.keep_additions,
                "FIRST_TTL": setup.first_ttl,
            },
        )

        self._refuse()

    def _refuse(self) -> None:
        """Does not start with what `manage.py check` finds to be wrong."""
        self.be_present()
        try:
            host()
        except ImproperlyConfigured as error:
            self.close()
            raise ValueError(str(error)) from error

    def _open(self, setup: Setup) -> None:
        self.app: Any = WSGIHandler()
        self._async_store: AsyncRedisStore | None = None
        self._client = None
        if setup.patience is None:
            self._store = RedisStore(setup.url)
        else:
            self._client = Redis.from_url(
                setup.url, socket_timeout=setup.patience / 2, retry=Retry(NoBackoff(), 0)
            )
            self._store = RedisStore(self._client, deadline=setup.patience)

    def be_present(self) -> None:
        if DjangoShop._present is not self:
            self._make_room()
            DjangoShop._present = self
            self._settings.enable()

    def send(self, sent: Sent) -> Answer:
        self.be_present()
        return self._send(sent)

    def _send(self, sent: Sent) -> Answer:
        headers = dict(sent.headers)
        environ: dict[str, Any] = {
            "CONTENT_LENGTH": headers.get("content-length", "0" if not sent.pieces else "")
        }
        if headers.get("transfer-encoding") == "chunked":
            environ["wsgi.input_terminated"] = True
        with Client(self.app, use_cookies=False).open(
            sent.target,
            method=sent.method,
            base_url=f"{sent.scheme}://{headers.get('host', '')}",
            headers=[(name, value) for name, value in sent.headers if name != "host"],
            input_stream=io.BytesIO(b"".join(sent.pieces)),
            environ_overrides=environ,
        ) as response:
            return Answer.of(response.status_code, list(response.headers), response.get_data())

    def close(self) -> None:
        if DjangoShop._present is self:
            self._make_room()
        (self._client or self._store).close()

    @staticmethod
    def _make_room() -> None:
        if DjangoShop._present is not None:
            DjangoShop._present._settings.disable()
            DjangoShop._present = None


class AsyncDjangoShop(DjangoShop):
    """On ASGI, in an event loop of its own."""

    urls = "clients.django_async"

    def _open(self, setup: Setup) -> None:
        super()._open(setup)
        self.app = ASGIHandler()
        self._runner = asyncio.Runner()
        self._async_client: AsyncRedis | None = None
        if setup.patience is None:
            self._async_store = AsyncRedisStore(setup.url)
        else:
            self._async_client = AsyncRedis.from_url(
                setup.url, socket_timeout=setup.patience / 2, retry=AsyncRetry(NoBackoff(), 0)
            )
            self._async_store = AsyncRedisStore(self._async_client, deadline=setup.patience)

    def _send(self, sent: Sent) -> Answer:
        answer: Answer = self._runner.run(ask(self.app, sent))
        return answer

    def close(self) -> None:
        client, store = self._async_client, self._async_store
        assert store is not None
        self._runner.run(client.aclose() if client else store.close())
        self._runner.close()
        super().close()


@csrf_exempt
@require_GET
def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


@csrf_exempt
@require_POST
def gift(request: HttpRequest) -> HttpResponse:
    cart = cart_from(request)
    cart.add("gift", unit_price="0.00")
    return HttpResponse(cart.cart_id)


@csrf_exempt
@require_POST
def login(request: HttpRequest) -> HttpResponse:
    return JsonResponse(told(sign_in(request, json.loads(request.body)["user"])))


@csrf_exempt
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    sign_out(request)
    return HttpResponse("bye")


urlpatterns = [
    path("hello", hello),
    path("gift", gift),
    path("login", login),
    path("logout", logout),
    path("", include("ecart.integrations.django.urls")),
]
