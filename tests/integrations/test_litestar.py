"""What is Litestar's own: the plugin, injection, its OpenAPI, CSRF protection, error pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post, websocket
from litestar.config.csrf import CSRFConfig
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.logging.config import LoggingConfig
from litestar.middleware.logging import LoggingMiddlewareConfig
from litestar.openapi.config import OpenAPIConfig
from litestar.testing import TestClient
from openapi_spec_validator import validate

from clients.litestar import NamedDependency
from ecart import AsyncCart, AsyncMemoryStore, CartSnapshot
from ecart.http import HttpSettings
from ecart.http.openapi import openapi_document
from ecart.http.routes import BACK_OFFICE_ROUTES, SHOPPER_ROUTES
from ecart.http.views import CartView, cart_view
from ecart.integrations.litestar import ECart, cart_from

if TYPE_CHECKING:
    from engines import Engine

SECRET = "a secret of the tests"


@get("/view")
async def view(cart: NamedDependency[AsyncCart]) -> CartView:
    return cart_view(await cart.get())


@get("/snapshot")
async def snapshot(cart: NamedDependency[AsyncCart]) -> CartSnapshot:
    return await cart.get()


@post("/gift", media_type=MediaType.TEXT)
async def gift(request: Request[Any, Any, Any]) -> str:
    cart = cart_from(request)
    await cart.add("gift", unit_price="9.50")
    return cart.cart_id


@websocket("/live")
async def live(socket: WebSocket[Any, Any, Any], cart: NamedDependency[AsyncCart]) -> None:
    await socket.accept()
    await socket.send_text(cart.cart_id)
    await socket.close()


def host(*handlers: Any, store: Any = None, plugin: Any = None, **options: Any) -> Litestar:
    """A Litestar app with handlers of its own and a cart."""
    plugin = plugin or ECart(store or AsyncMemoryStore(), secret=SECRET)
    return Litestar(
        [view, gift, live, *handlers], plugins=[plugin], **{"logging_config": None, **options}
    )


def test_cart_session_persists_items_and_id() -> None:
    """The issue's test, as it stands, with Litestar's own client."""
    with TestClient(host()) as client:
        r1 = client.post("/cart/items", json={"sku": "apple"})
        assert r1.status_code == 200
        cart_id_1 = r1.json()["cart_id"]
        r2 = client.post("/cart/items", json={"sku": "banana"})
        assert r2.status_code == 200
        assert cart_id_1 == r2.json()["cart_id"]
        r3 = client.get("/cart")
        assert r3.status_code == 200
        assert {item["sku"] for item in r3.json()["items"]} == {"apple", "banana"}


def test_what_a_url_opened_is_closed_with_the_app(engine: Engine) -> None:
    """The plugin takes part in the app's life."""
    with engine.connected() as watching:
        before = len(watching.client_list())
        with TestClient(host(store=engine.url)) as client:
            client.post("/gift")
            assert len(watching.client_list()) > before

        assert len(watching.client_list()) == before


def test_structs_go_straight_through() -> None:
    """What a handler returns is the contract's JSON: amounts are text, no model is in between."""
    with TestClient(host(snapshot)) as client:
        client.post("/gift")
        shown, contract = client.get("/view"), client.get("/cart")
        raw = client.get("/snapshot").json()

    assert shown.json() == contract.json()
    assert shown.json()["items"][0]["unit_price"] == "9.50"
    assert raw["lines"][0]["unit_price"] == "9.5"


def test_a_websocket_has_the_cart() -> None:
    """It is injected there, too."""
    with TestClient(host()) as client:
        cart_id = client.get("/cart").json()["cart_id"]
        with client.websocket_connect("/live") as socket:
            assert socket.receive_text() == cart_id


def test_the_dependency_has_a_name_of_the_hosts_choice() -> None:
    """One that the host has already is left alone."""

    @get("/basket", media_type=MediaType.TEXT)
    async def basket(cart: NamedDependency[str], basket: NamedDependency[AsyncCart]) -> str:
        return f"{cart} {basket.cart_id}"

    plugin = ECart(AsyncMemoryStore(), secret=SECRET, dependency="basket")
    theirs = {"cart": Provide(lambda: "theirs", sync_to_thread=False)}
    app = Litestar([basket], plugins=[plugin], dependencies=theirs, logging_config=None)
    with TestClient(app) as client:
        cart_id = client.get("/cart").json()["cart_id"]

        assert client.get("/basket").text == f"theirs {cart_id}"


@pytest.mark.parametrize("path", ["/shop", "/cart"])
def test_an_app_with_a_path_of_its_own(path: str) -> None:
    """The contract is below it, and is shown there."""
    with TestClient(host(path=path)) as client:
        added = client.post(f"{path}/cart/items", json={"sku": "a/b"})
        removed = client.delete(f"{path}/cart/items/a%2Fb")
        odd = client.get(f"{path}/cart//")
        document = client.get(f"{path}/schema/openapi.json").json()

    assert (added.status_code, removed.status_code) == (200, 200)
    assert removed.json()["items"] == []
    assert (odd.status_code, odd.json()["code"]) == (404, "not_found")
    assert f"{path}/cart/items" in document["paths"]


def test_the_hosts_errors_are_its_own() -> None:
    """Its handlers see nothing of ours, and ours nothing of theirs."""
    seen: list[str] = []

    def my_page(request: Any, error: Exception) -> Response[str]:
        seen.append(request.url.path)
        return Response("my own page", status_code=404, media_type=MediaType.TEXT)

    with TestClient(host(exception_handlers={NotFoundException: my_page})) as client:
        ours = [
            client.post("/cart/items", json={"sku": 1}),
            client.get("/cart/nothing"),
            client.put("/cart"),
            client.post("/cart/items", content=b" " * 20_000),
        ]
        theirs = [client.get("/nothing").text, client.get("/cartoon").text, client.get("/carts/x")]

    assert [answer.json()["code"] for answer in ours] == [
        "invalid_sku", "not_found", "method_not_allowed", "body_too_large",
    ]  # fmt: skip
    assert theirs[:2] == ["my own page"] * 2
    assert seen == ["/nothing", "/cartoon", "/carts/x"]


def test_the_hosts_csrf_protection_stands() -> None:
    """Its own handlers want the token; ours refuse other sites' pages by themselves."""
    with TestClient(host(csrf_config=CSRFConfig(secret="theirs"))) as client:
        theirs = client.post("/gift")
        ours = client.post("/cart/items", json={"sku": "apple"})
        evil = client.post(
            "/cart/items", json={"sku": "apple"}, headers={"Origin": "http://evil.example"}
        )

    assert (theirs.status_code, ours.status_code) == (403, 200)
    assert evil.json()["code"] == "cross_site_request"


def test_a_body_that_the_host_has_read() -> None:
    """Middleware that logs bodies leaves ours to be read."""
    middleware = [LoggingMiddlewareConfig(request_log_fields=["body"]).middleware]
    app = host(middleware=middleware, logging_config=LoggingConfig())
    with TestClient(app) as client:
        answer = client.post("/cart/items", json={"sku": "apple"})

    assert (answer.status_code, answer.json()["total_quantity"]) == (200, 1)


# OpenAPI


def test_the_hosts_document_shows_the_routes_as_ours_does() -> None:
    """Each operation and schema is that of our own document; the host's are as they were."""
    own = openapi_document(SHOPPER_ROUTES)
    plain = Litestar([view, gift], dependencies={"cart": Provide(object, sync_to_thread=False)})

    with TestClient(host()) as client:
        document = client.get("/schema/openapi.json").json()

    validate(document)
    for path, operations in own["paths"].items():
        for method, operation in operations.items():
            shown = document["paths"][path][method]
            assert shown["summary"] == operation["summary"]
            assert shown["parameters"] == operation["parameters"]
            assert shown["responses"].keys() == operation["responses"].keys()
    schemas = document["components"]["schemas"]
    assert schemas["ecart.CartView"]["properties"]["subtotal"] == {"type": "string"}
    theirs = plain.openapi_schema.to_schema()["paths"]
    assert {path: document["paths"][path] for path in theirs} == theirs


def test_the_office_is_shown_with_its_key() -> None:
    """With keys set, its routes stand there too."""
    settings = HttpSettings(office_keys=("k" * 16,))
    app = host(plugin=ECart(AsyncMemoryStore(), secret=SECRET, settings=settings))

    with TestClient(app) as client:
        document = client.get("/schema/openapi.json").json()

    validate(document)
    assert {p for p in document["paths"] if p.startswith("/carts")} == {
        route.path for route in BACK_OFFICE_ROUTES
    }


def test_a_configuration_that_two_apps_share() -> None:
    """The one's cart is not shown by the other."""
    config = OpenAPIConfig(title="Shop", version="1")
    ours = host(openapi_config=config)
    theirs = Litestar([], openapi_config=config)

    assert "/cart" in ours.openapi_schema.to_schema()["paths"]
    assert "/cart" not in theirs.openapi_schema.to_schema()["paths"]
