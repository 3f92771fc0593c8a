"""What is Starlette's own: mounts, lifespans, WebSockets, middleware, its test client."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient

from ecart import AsyncMemoryStore, AsyncRedisStore, RedisStore, StoreUnavailableError
from ecart.integrations.starlette import ECart, cart_from, sign_in, sign_out

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from engines import Engine

SECRET = "a secret of the tests"


async def badge(request: Request) -> PlainTextResponse:
    return PlainTextResponse(cart_from(request).cart_id)


async def log_in(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await sign_in(request, 42)).cart_id)


async def log_out(request: Request) -> PlainTextResponse:
    sign_out(request)
    return PlainTextResponse(cart_from(request).cart_id)


def host(store: Any = None, **options: Any) -> Starlette:
    """A Starlette app with views of its own and a cart."""
    views = [Route("/badge", badge), Route("/in", log_in), Route("/out", log_out)]
    app = Starlette(routes=[*views, *options.pop("routes", ())], **options)
    ECart(app, store or AsyncMemoryStore(), secret=SECRET)
    return app


def test_cart_session_persists_items_and_id() -> None:
    """The issue's test, as it stands, with Starlette's own client."""
    client = TestClient(host())

    r1 = client.post("/cart/items", json={"sku": "apple"})
    assert r1.status_code == 200
    cart_id_1 = r1.json()["cart_id"]
    r2 = client.post("/cart/items", json={"sku": "banana"})
    assert r2.status_code == 200
    assert cart_id_1 == r2.json()["cart_id"]
    r3 = client.get("/cart")
    assert r3.status_code == 200
    assert {item["sku"] for item in r3.json()["items"]} == {"apple", "banana"}


# Life and mounts


def test_what_a_url_opened_is_closed_with_the_app(engine: Engine) -> None:
    """The host's own lifespan runs around it, and keeps its state."""
    lives: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        lives.append("begun")
        yield {"theirs": "kept"}
        lives.append("ended")

    async def theirs(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.theirs)

    with engine.connected() as watching:
        before = len(watching.client_list())
        app = host(engine.url, lifespan=lifespan, routes=[Route("/theirs", theirs)])
        with TestClient(app) as client:
            client.post("/cart/items", json={"sku": "apple"})
            assert client.get("/theirs").text == "kept"
            assert len(watching.client_list()) > before

        assert len(watching.client_list()) == before
    assert lives == ["begun", "ended"]


def test_a_store_that_was_given_stays_open(engine: Engine) -> None:
    """It is the host's to close, in its own lifespan, where carts can still be read."""
    store = AsyncRedisStore(engine.url)
    left: list[int] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await app.state.ecart.close()
        left.append(len(watching.client_list()))
        await store.close()

    with engine.connected() as watching:
        before = len(watching.client_list())
        with TestClient(host(store, lifespan=lifespan)) as client:
            client.post("/cart/items", json={"sku": "apple"})

    assert left == [before + 1]


def test_below_a_prefix(engine: Engine) -> None:
    """An app that is mounted below `/shop` has its cart there; `lifespan` closes what it opened."""
    shop = Starlette(routes=[Route("/badge", badge)])
    ecart = ECart(shop, engine.url, secret=SECRET)
    app = Starlette(routes=[Mount("/shop", shop)], lifespan=ecart.lifespan)

    with engine.connected() as watching:
        before = len(watching.client_list())
        with TestClient(app) as client:
            answers = [client.get(target) for target in ("/shop/cart", "/cart", "/shop/cart/x")]
            shown = client.get("/shop/badge").text
        assert len(watching.client_list()) == before

    assert [answer.status_code for answer in answers] == [200, 404, 404]
    assert (answers[0].json()["items"], answers[0].json()["cart_id"]) == ([], shown)
    assert answers[2].json()["code"] == "not_found"


@pytest.mark.parametrize("root_path", ["", "/shop", "/c"])
def test_behind_a_proxy_that_strips_a_prefix(root_path: str) -> None:
    """`root_path` is what the server was told of; the path may begin with it or not."""
    client = TestClient(host(), root_path=root_path)

    assert client.get("/cart").status_code == 200
    assert client.get(f"{root_path}/cart").status_code == 200


def test_two_carts_in_one_tree() -> None:
    """An app inside an app, each with a store of its own: they do not meet."""
    inner, outer = host(), host()
    outer.router.routes.insert(0, Mount("/inner", inner))
    client = TestClient(outer)

    client.post("/inner/cart/items", json={"sku": "apple"})

    assert client.get("/cart").json()["items"] == []
    assert client.get("/inner/cart").json()["total_quantity"] == 1


# The session


def test_a_websocket_has_the_cart() -> None:
    """Read from its cookie, and begun with the handshake if there is none."""

    async def live(socket: WebSocket) -> None:
        cart = cart_from(socket)
        await socket.accept()
        await socket.send_text(cart.cart_id)
        await socket.close()

    client = TestClient(host(routes=[WebSocketRoute("/live", live)]))

    with client.websocket_connect("/live") as first:
        begun = first.receive_text()
        headers: dict[bytes, bytes] = dict(first.extra_headers or [])
    with client.websocket_connect("/live") as second:
        assert second.receive_text() != begun  # its client keeps no cookies of handshakes
    name, _, rest = headers[b"set-cookie"].decode().partition("=")
    client.cookies.set(name, rest.partition(";")[0])
    with client.websocket_connect("/live") as third:
        assert third.receive_text() == begun
    assert client.get("/cart").json()["cart_id"] == begun


def test_the_apps_own_cookies_and_vary_are_kept() -> None:
    """Ours is set beside what a view sets; caches learn that the page is one visitor's."""

    async def view(request: Request) -> Response:
        response = PlainTextResponse(cart_from(request).cart_id, headers={"Vary": "Accept"})
        response.set_cookie("theirs", "1")
        return response

    answer = TestClient(host(routes=[Route("/view", view)])).get("/view")

    assert sorted(answer.cookies) == ["ecart", "theirs"]
    assert answer.headers.get_list("vary") == ["Accept", "Cookie"]


def test_starlettes_own_session_is_left_alone() -> None:
    """Its cookie and ours live side by side; a log-out of one is none of the other."""

    async def visit(request: Request) -> PlainTextResponse:
        request.session["visits"] = request.session.get("visits", 0) + 1
        return PlainTextResponse(str(request.session["visits"]))

    app = host(routes=[Route("/visit", visit)])
    app.add_middleware(SessionMiddleware, secret_key="theirs")
    client = TestClient(app)

    client.get("/visit")
    client.post("/cart/items", json={"sku": "apple"})
    client.get("/in")
    client.get("/out")

    assert client.get("/visit").text == "2"
    assert client.get("/cart").json()["items"] == []


def test_one_session_for_middleware_and_routes() -> None:
    """A middleware of the host's that asks for the cart and `/cart` begin the same one."""

    class Badges:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                from starlette.requests import Request

                scope["badge"] = cart_from(Request(scope)).cart_id
            await self.app(scope, receive, send)

    app = Starlette()
    app.add_middleware(Badges)
    ECart(app, AsyncMemoryStore(), secret=SECRET)
    answer = TestClient(app).get("/cart")

    assert len(answer.headers.get_list("set-cookie")) == 1
    assert answer.headers["set-cookie"].startswith(f"ecart={answer.json()['cart_id']}.")


def test_a_log_out_and_a_new_cart_in_one_request() -> None:
    """The cookie of the answer is the new cart's."""
    client = TestClient(host())
    client.get("/in")

    fresh = client.get("/out").text

    assert fresh != "user.42"
    assert client.get("/cart").json()["cart_id"] == fresh


def test_a_log_in_without_an_engine(engine: Engine) -> None:
    """The failure reaches the host, and the session keeps what it kept."""
    client = TestClient(host(AsyncMemoryStore()))
    kept = client.get("/badge").text
    gone = TestClient(
        host(AsyncRedisStore("redis://127.0.0.1:1", deadline=0.1)), cookies=dict(client.cookies)
    )

    with pytest.raises(StoreUnavailableError):
        gone.get("/in")

    assert gone.get("/badge").text == kept


# Mistakes


def test_a_request_that_did_not_come_through_the_cart() -> None:
    """A clear error."""
    client = TestClient(Starlette(routes=[Route("/badge", badge)]))

    with pytest.raises(RuntimeError, match="ECart"):
        client.get("/badge")


@pytest.mark.parametrize("secret", ["", (), [""]])
def test_without_a_secret(secret: Any) -> None:
    """A clear error at the start."""
    with pytest.raises(ValueError, match="secret"):
        ECart(Starlette(), AsyncMemoryStore(), secret=secret)


def test_with_a_sync_store(engine: Engine) -> None:
    """Refused at the start: it would block the event loop."""
    with pytest.raises(TypeError, match="asyncio"):
        ECart(Starlette(), RedisStore(engine.url), secret=SECRET)  # type: ignore[arg-type]
