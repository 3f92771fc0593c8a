"""Without a framework: ASGI and WSGI apps that are mounted, wrapped or served as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults, shift_path_info
from wsgiref.validate import validator

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ecart import AsyncMemoryStore, MemoryStore
from ecart.integrations import asgi, wsgi

if TYPE_CHECKING:
    from engines import Engine

SECRET = "a secret of the tests"


def ask(app: Any, path: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """A GET as a server sends it, watched by the validator of the standard library."""
    asked: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    setup_testing_defaults(asked)
    started: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
        started.append((status, headers))
        return lambda written: None

    answer = validator(app)(asked, start)
    body = b"".join(answer)
    answer.close()  # type: ignore[attr-defined]
    return (*started[0], body)


def cookies(headers: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in headers if name.lower() == "set-cookie"]


def test_a_wsgi_endpoint_alone() -> None:
    """As a server runs it: the contract at `/cart`, problems elsewhere, one cookie."""
    app = wsgi.CartEndpoint(MemoryStore(), secret=SECRET)

    status, headers, _ = ask(app, "/cart")
    elsewhere, _, _ = ask(app, "/elsewhere")

    assert (status, elsewhere) == ("200 OK", "404 Not Found")
    assert [cookie.partition("=")[0] for cookie in cookies(headers)] == ["ecart"]


@pytest.mark.parametrize("looks_first", [False, True])
def test_a_wsgi_endpoint_mounted_by_its_host(looks_first: bool) -> None:
    """Below `/shop` it goes by `SCRIPT_NAME`; host and endpoint begin one session."""

    def host(environ: Any, start_response: Any) -> Any:
        if looks_first:
            wsgi.cart_from(environ)
        shift_path_info(environ)
        return app.endpoint(environ, start_response)

    app = wsgi.ECart(host, MemoryStore(), secret=SECRET)

    status, headers, body = ask(app, "/shop/cart")

    assert status == "200 OK"
    assert len(cookies(headers)) == 1
    assert cookies(headers)[0].partition("=")[2].partition(".")[0].encode() in body


def test_what_a_wsgi_url_opened_can_be_closed(engine: Engine) -> None:
    """A process that goes on without the app calls `close()`."""
    with engine.connected() as watching:
        before = len(watching.client_list())
        app = wsgi.CartEndpoint(engine.url, secret=SECRET)
        ask(app, "/cart")
        assert len(watching.client_list()) > before

        app.close()

        assert len(watching.client_list()) == before


def test_an_asgi_endpoint_alone(engine: Engine) -> None:
    """A server runs it: it takes part in the lifespan, closes its store, and has no WebSockets."""
    with engine.connected() as watching:
        before = len(watching.client_list())
        with TestClient(asgi.CartEndpoint(engine.url, secret=SECRET)) as client:
            assert client.get("/cart").json()["items"] == []
            assert client.get("/elsewhere").json()["code"] == "not_found"
            with pytest.raises(WebSocketDisconnect), client.websocket_connect("/cart"):
                pass

        assert len(watching.client_list()) == before


def test_an_asgi_endpoint_below_a_root_path() -> None:
    """It goes by `root_path`."""
    client = TestClient(asgi.CartEndpoint(AsyncMemoryStore(), secret=SECRET), root_path="/shop")

    assert client.get("/shop/cart").status_code == 200
    assert client.get("/shop/elsewhere").status_code == 404


@pytest.mark.parametrize("ask_outside", [asgi.cart_from, wsgi.cart_from])
def test_a_request_that_did_not_come_through_the_cart(ask_outside: Any) -> None:
    """A clear error."""
    with pytest.raises(RuntimeError, match="ECart"):
        ask_outside({})
