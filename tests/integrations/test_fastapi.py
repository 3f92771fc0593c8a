"""What is FastAPI's own: dependencies, its OpenAPI, routers under a prefix, its error pages."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

from ecart import AsyncCart, AsyncMemoryStore, Cart, MemoryStore
from ecart.http import HttpSettings
from ecart.http.openapi import openapi_document
from ecart.http.routes import BACK_OFFICE_ROUTES, SHOPPER_ROUTES
from ecart.integrations.fastapi import (
    CartDep,
    ECart,
    SyncCartDep,
    get_cart,
    get_sync_cart,
    sign_in,
)

if TYPE_CHECKING:
    from engines import Engine

SECRET = "a secret of the tests"


def host(store: Any = None, *, prefix: str = "", **options: Any) -> FastAPI:
    """A FastAPI app with endpoints of its own and a cart."""
    app = FastAPI()
    ecart = ECart(app, store or AsyncMemoryStore(), secret=SECRET, **options)
    app.include_router(ecart.router, prefix=prefix)

    @app.post("/gift/{sku}")
    async def gift(sku: str, cart: CartDep) -> dict[str, str]:
        await cart.add(sku, unit_price="0.00")
        return {"cart_id": cart.cart_id}

    @app.post("/sync/{sku}")
    def sync_gift(sku: str, cart: SyncCartDep) -> dict[str, str]:
        cart.add(sku, unit_price="0.00")
        return {"cart_id": cart.cart_id}

    return app


def test_cart_session_persists_items_and_id() -> None:
    """The issue's test, as it stands, with FastAPI's own client."""
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


# Dependencies


def test_both_kinds_of_endpoints_have_the_same_cart(engine: Engine) -> None:
    """`async def` and `def`, on one client of one engine, begin one session."""
    with TestClient(host(engine.url)) as client:
        ids = {client.post(f"/{kind}").json()["cart_id"] for kind in ("gift/a", "sync/b", "sync/b")}
        items = client.get("/cart").json()["items"]

    assert len(ids) == 1
    assert [(item["sku"], item["quantity"]) for item in items] == [("a", 1), ("b", 2)]


def test_a_sync_cart_does_not_block_the_event_loop() -> None:
    """Used in an `async def` it is an error, and says where it belongs."""
    app = host()

    @app.get("/wrong")
    async def wrong(cart: SyncCartDep) -> int:
        return cart.summary().line_count

    with pytest.raises(RuntimeError, match="worker thread"):
        TestClient(app).get("/wrong")


def test_a_test_may_put_another_cart_in_place() -> None:
    """`dependency_overrides` work, and nothing of the app is changed by them."""
    app, store = host(), MemoryStore()
    app.dependency_overrides[get_cart] = lambda: AsyncCart("mine", AsyncMemoryStore(store))
    app.dependency_overrides[get_sync_cart] = lambda: Cart("mine", store)
    client = TestClient(app)

    answers = [client.post("/gift/a"), client.post("/sync/b")]

    assert [answer.json() for answer in answers] == [{"cart_id": "mine"}] * 2
    assert [line.sku for line in Cart("mine", store).get().lines] == ["a", "b"]
    assert answers[0].headers.get("set-cookie") is None


def test_a_websocket_has_the_cart() -> None:
    """By the same dependency."""
    app = host()

    @app.websocket("/live")
    async def live(socket: WebSocket, cart: CartDep) -> None:
        await socket.accept()
        await socket.send_text(cart.cart_id)
        await socket.close()

    client = TestClient(app)
    cart_id = client.get("/cart").json()["cart_id"]

    with client.websocket_connect("/live") as socket:
        assert socket.receive_text() == cart_id


def test_what_the_host_demands_of_the_router_is_demanded() -> None:
    """Dependencies given with `include_router` run before the contract, also to read the body."""
    app = FastAPI()
    bodies: list[bytes] = []

    async def members_only(request: Request) -> None:
        bodies.append(await request.body())
        if "x-member" not in request.headers:
            raise HTTPException(403, "members only")

    router = ECart(app, AsyncMemoryStore(), secret=SECRET).router
    app.include_router(router, dependencies=[Depends(members_only)])
    client = TestClient(app)

    refused = client.post("/cart/items", json={"sku": "apple"})
    answer = client.post("/cart/items", json={"sku": "apple"}, headers={"X-Member": "1"})

    assert (refused.status_code, refused.json()) == (403, {"detail": "members only"})
    assert (answer.status_code, answer.json()["total_quantity"]) == (200, 1)
    assert bodies == [b'{"sku":"apple"}'] * 2


# Routers


def test_a_router_under_a_prefix() -> None:
    """The contract is below it, in a router of a router too, and nowhere else."""
    app = FastAPI()
    shops = APIRouter(prefix="/shops/{shop}")
    shops.include_router(ECart(app, AsyncMemoryStore(), secret=SECRET).router, prefix="/v1")
    app.include_router(shops)
    client = TestClient(app)

    added = client.post("/shops/tea/v1/cart/items", json={"sku": "a/b"})
    removed = client.delete("/shops/tea/v1/cart/items/a%2Fb")
    odd = client.get("/shops/tea/v1/cart/no%0Athing")

    assert (added.status_code, removed.status_code) == (200, 200)
    assert removed.json()["items"] == []
    assert (odd.status_code, odd.json()["code"]) == (404, "not_found")
    assert client.get("/cart").json() == {"detail": "Not Found"}


def test_the_hosts_errors_are_its_own() -> None:
    """Its handlers and its validation see nothing of ours, and ours nothing of theirs."""
    app = host()
    seen: list[int] = []

    @app.exception_handler(404)
    async def my_page(request: Request, error: Any) -> PlainTextResponse:
        seen.append(error.status_code)
        return PlainTextResponse("my own page", 404)

    @app.get("/number/{value}")
    async def number(value: int) -> int:
        return value

    client = TestClient(app)
    ours = [
        client.post("/cart/items", content=b"{", headers={"Content-Type": "application/json"}),
        client.post("/cart/items", json={"sku": 1}),
        client.patch("/cart/items/apple", json={"quantity": "1"}),
        client.get("/cart/nothing"),
        client.put("/cart"),
    ]

    assert [answer.json()["code"] for answer in ours] == [
        "invalid_json", "invalid_sku", "invalid_quantity", "not_found", "method_not_allowed",
    ]  # fmt: skip
    assert seen == []
    assert client.get("/nothing").text == "my own page"
    assert client.get("/number/x").json()["detail"][0]["type"] == "int_parsing"


def test_two_apps_in_one_process() -> None:
    """The one's sessions and routes are not the other's; a third has no cart."""
    one, other, none = TestClient(host()), TestClient(host(prefix="/shop")), TestClient(FastAPI())

    one.post("/cart/items", json={"sku": "apple"})

    assert one.get("/cart").json()["total_quantity"] == 1
    assert other.get("/shop/cart").json()["items"] == []
    assert none.get("/cart").status_code == other.get("/cart").status_code == 404


# OpenAPI


def renamed(value: Any) -> Any:
    """A part of our own document with the names that it has in a host's."""
    if isinstance(value, dict):
        return {
            name: re.sub("schemas/", "schemas/ecart.", one) if name == "$ref" else renamed(one)
            for name, one in value.items()
        }
    return [renamed(one) for one in value] if isinstance(value, list) else value


def test_the_hosts_document_shows_the_routes_as_ours_does() -> None:
    """Each operation and each schema is that of our own document, money as text."""
    own = json.loads(json.dumps(openapi_document(SHOPPER_ROUTES)))
    document = host().openapi()

    validate(document)
    for path, operations in own["paths"].items():
        for method, operation in operations.items():
            shown = document["paths"][path][method]
            said = renamed({n: one for n, one in operation.items() if n != "operationId"})
            assert {name: shown[name] for name in said} == said, (method, path)
            assert shown["tags"] == ["cart"]
    schemas = document["components"]["schemas"]
    assert {n: s for n, s in schemas.items() if n.startswith("ecart.")} == {
        f"ecart.{name}": renamed(schema) for name, schema in own["components"]["schemas"].items()
    }
    assert schemas["ecart.CartView"]["properties"]["subtotal"] == {"type": "string"}
    assert "securitySchemes" not in document["components"]


def test_the_hosts_own_part_of_the_document_is_untouched() -> None:
    """Without our routes it is the same, word for word; without the router it has no schema."""
    app, plain = FastAPI(), FastAPI()
    ecart = ECart(app, AsyncMemoryStore(), secret=SECRET)

    def theirs(number: int) -> dict[str, int]:
        return {"number": number}

    for each in (app, plain):
        each.get("/theirs")(theirs)
    assert app.openapi() == plain.openapi()

    app.include_router(ecart.router)
    document = app.openapi()

    assert document["paths"]["/theirs"] == plain.openapi()["paths"]["/theirs"]
    assert {path for path in document["paths"] if "cart" not in path} == {"/theirs"}


def test_the_office_is_shown_with_its_key() -> None:
    """With keys set, its routes stand there too, and ask for one."""
    app = host(prefix="/shop", settings=HttpSettings(office_keys=("k" * 16,)))

    document = app.openapi()

    validate(document)
    shown = {p.removeprefix("/shop") for p in document["paths"] if p.startswith("/shop/carts")}
    assert shown == {route.path for route in BACK_OFFICE_ROUTES}
    assert document["paths"]["/shop/carts/{cart_id}"]["delete"]["security"] == [
        {"ecart.office": []}
    ]
    assert list(document["components"]["securitySchemes"]) == ["ecart.office"]
    assert "204" in document["paths"]["/shop/carts/{cart_id}"]["delete"]["responses"]


def test_the_document_is_served() -> None:
    """Where the host has it; its page of documentation too."""
    client = TestClient(host())

    assert "/cart/items" in client.get("/openapi.json").json()["paths"]
    assert client.get("/docs").status_code == 200


def test_a_log_in_of_an_endpoint() -> None:
    """`sign_in` is awaited in it."""
    app = host()

    @app.post("/login")
    async def login(request: Request, user: str) -> str:
        return (await sign_in(request, user)).cart_id

    client = TestClient(app)
    client.post("/gift/a")

    assert client.post("/login?user=ada").json() == "user.ada"
    assert client.get("/cart").json()["items"][0]["sku"] == "a"
