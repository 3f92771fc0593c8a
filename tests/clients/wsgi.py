"""A plain WSGI app with the cart around it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clients.asgi import settings_of
from clients.shop import Answer, Sent, Setup, Shop, told
from ecart import RedisStore
from ecart.integrations.wsgi import ECart, cart_from, sign_in, sign_out

if TYPE_CHECKING:
    from collections.abc import Iterable


class WsgiShop(Shop):
    cookie = "ecart"

    def __init__(self, setup: Setup) -> None:
        store: RedisStore | str = setup.url
        self._client = None
        if setup.patience is not None:
            self._client = Redis.from_url(
                setup.url, socket_timeout=setup.patience / 2, retry=Retry(NoBackoff(), 0)
            )
            store = RedisStore(self._client, deadline=setup.patience)
        self.app = ECart(
            host, store, secret=setup.secrets, catalog=setup.catalog, settings=settings_of(setup)
        )

    def send(self, sent: Sent) -> Answer:
        started: list[Any] = []
        body = b"".join(self.app(environ_of(sent), lambda *said: started.append(said)))
        status, headers = started[0]
        return Answer.of(int(status.split()[0]), headers, body)

    def close(self) -> None:
        self.app.endpoint.close()
        if self._client is not None:
            self._client.close()


def environ_of(sent: Sent) -> dict[str, Any]:
    """The request as a WSGI server tells of it."""
    path, _, query = sent.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": sent.method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "wsgi.url_scheme": sent.scheme,
        "wsgi.input": io.BytesIO(b"".join(sent.pieces)),
    }
    for name, value in sent.headers:
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    if dict(sent.headers).get("transfer-encoding") == "chunked":
        environ["wsgi.input_terminated"] = True
    setup_testing_defaults(environ)
    return environ


def host(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The host's own views, as a small app without a framework has them."""
    methods, view = VIEWS.get(environ["PATH_INFO"], ((), None))
    if view is None or environ["REQUEST_METHOD"] not in methods:
        start_response("404 Not Found" if view is None else "405 Method Not Allowed", [])
        return [b""]
    body = view(environ).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def hello(environ: dict[str, Any]) -> str:
    return "hello"


def gift(environ: dict[str, Any]) -> str:
    cart = cart_from(environ)
    cart.add("gift", unit_price="0.00")
    return cart.cart_id


def login(environ: dict[str, Any]) -> str:
    body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    return json.dumps(told(sign_in(environ, body["user"])))


def logout(environ: dict[str, Any]) -> str:
    sign_out(environ)
    return "bye"


VIEWS: dict[str, Any] = {
    "/hello": (("GET",), hello),
    "/gift": (("POST",), gift),
    "/login": (("POST",), login),
    "/logout": (("POST",), logout),
}
