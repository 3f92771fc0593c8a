"""A Flask app with the cart beside views of its own."""

from __future__ import annotations

import io
from importlib.metadata import version
from typing import Any

import flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clients.shop import Answer, Sent, Setup, Shop, told
from ecart import RedisStore
from ecart.integrations.flask import ECart, cart_from, sign_in, sign_out


class FlaskShop(Shop):
    cookie = "session"
    keeps_old_secrets = version("flask") >= "3.1"

    def __init__(self, setup: Setup) -> None:
        self._client = None
        if setup.patience is None:
            self._store = RedisStore(setup.url)
        else:
            self._client = Redis.from_url(
                setup.url, socket_timeout=setup.patience / 2, retry=Retry(NoBackoff(), 0)
            )
            self._store = RedisStore(self._client, deadline=setup.patience)
        self.app = flask.Flask("shop")
        self.app.secret_key, *fallbacks = setup.secrets
        self.app.config |= {
            "TESTING": True,
            "SECRET_KEY_FALLBACKS": fallbacks,
            "ECART_CURRENCY": setup.currency,
            "ECART_TRUSTED_ORIGINS": setup.trusted_origins,
            "ECART_OFFICE_KEYS": setup.office_keys,
            "ECART_HOLD": setup.hold_seconds,
            "ECART_KEEP_ADDITIONS": setup.keep_additions,
            "ECART_FIRST_TTL": setup.first_ttl,
        }
        self.app.add_url_rule("/hello", view_func=hello)
        self.app.add_url_rule("/gift", view_func=gift, methods=["POST"])
        self.app.add_url_rule("/login", view_func=login, methods=["POST"])
        self.app.add_url_rule("/logout", view_func=logout, methods=["POST"])
        ECart(self.app, store=self._store, catalog=setup.catalog)

    def send(self, sent: Sent) -> Answer:
        headers = dict(sent.headers)
        environ = {"CONTENT_LENGTH": headers.get("content-length", "0" if not sent.pieces else "")}
        if headers.get("transfer-encoding") == "chunked":
            environ["wsgi.input_terminated"] = True
        response = self.app.test_client(use_cookies=False).open(
            sent.target,
            method=sent.method,
            base_url=f"{sent.scheme}://{headers.pop('host', '')}",
            headers=[(name, value) for name, value in sent.headers if name != "host"],
            input_stream=io.BytesIO(b"".join(sent.pieces)),
            environ_overrides=environ,
        )
        return Answer.of(response.status_code, list(response.headers), response.get_data())

    def close(self) -> None:
        if self._client is None:
            self._store.close()
        else:
            self._client.close()


def hello() -> str:
    return "hello"


def gift() -> str:
    cart = cart_from(flask.request)
    cart.add("gift", unit_price="0.00")
    return cart.cart_id


def login() -> dict[str, Any]:
    return told(sign_in(flask.request, flask.request.get_json()["user"]))


def logout() -> str:
    sign_out(flask.request)
    return "bye"
