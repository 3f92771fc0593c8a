"""The cart as a guest in somebody's app: it takes `/cart`, one session key, and nothing else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from clients import INTEGRATIONS, Sent
from clients.asgi import AsgiShop
from ecart import AsyncRedisStore, RedisStore
from ecart.http import HttpSettings
from ecart.integrations import starlette as ecart_starlette

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from clients import Shop, Shopper
    from engines import Engine

SECRET = "a secret of the tests"

integrations = pytest.mark.parametrize("shop_class", INTEGRATIONS, indirect=True)


@integrations
def test_a_view_reaches_the_cart_of_its_visitor(shopper: Shopper) -> None:
    """`cart_from(request)` is the cart that `/cart` shows, with prices that the view chose."""
    cart = shopper.post("/cart/items", json={"sku": "apple"}).json

    answer = shopper.post("/gift")

    assert answer.body.decode() == cart["cart_id"]
    assert [item["sku"] for item in shopper.get("/cart").json["items"]] == ["apple", "gift"]


@integrations
def test_a_view_begins_a_session_once(shopper: Shopper) -> None:
    """Its first answer sets the cookie, later ones do not."""
    first = shopper.post("/gift")
    second = shopper.post("/gift")

    assert (len(first.set_cookies), second.set_cookies) == (1, ())
    assert first.body == second.body
    assert shopper.get("/cart").json["items"][0]["quantity"] == 2


@integrations
def test_views_do_not_mix_up_visitors(shopper: Shopper) -> None:
    """Each visitor's gift is in the own cart."""
    other = shopper.fresh()

    assert shopper.post("/gift").body != other.post("/gift").body
    assert shopper.get("/cart").json["total_quantity"] == 1


@integrations
def test_other_routes_are_the_apps_own(shopper: Shopper) -> None:
    """Neither headers, cookies nor errors of ours show there."""
    hello = shopper.get("/hello")
    nothing = shopper.get("/nothing")
    put = shopper.request("PUT", "/hello")
    near = shopper.get("/cartoon")

    assert (hello.status, hello.body, hello.set_cookies) == (200, b"hello", ())
    assert "referrer-policy" not in hello.headers
    assert (nothing.status, put.status, near.status) == (404, 405, 404)
    assert all(b"urn:ecart" not in answer.body for answer in (nothing, put, near))


@integrations
def test_it_has_no_routes_of_the_service(shopper: Shopper) -> None:
    """Health, documents and `/` are the app's."""
    assert [shopper.get(t).status for t in ("/", "/healthz", "/readyz", "/docs")] == [404] * 4
    assert shopper.get("/openapi.json").status == 404


@integrations
def test_two_apps_in_one_process(make_shop: Callable[..., Shop]) -> None:
    """Each with its own catalog, currency and secret, and no cart in common."""
    dollars, euros = make_shop(), make_shop(currency="EUR", secrets=("another secret here",))
    one, other = dollars.shopper(), euros.shopper()

    one.post("/cart/items", json={"sku": "apple"})
    other.post("/cart/items", json={"sku": "apple", "quantity": 2})

    carts = [shopper.get("/cart").json for shopper in (one, other)]
    assert [(c["currency"], c["total_quantity"]) for c in carts] == [("USD", 1), ("EUR", 2)]


# Starlette


@pytest.fixture
def store(engine: Engine) -> Iterator[RedisStore]:
    opened = RedisStore(engine.url)
    yield opened
    opened.close()


class Host(AsgiShop):
    """A Starlette app of the test's own."""

    def __init__(self, app: Starlette) -> None:
        self._begin(app)


def look(target: str) -> Sent:
    return Sent(method="GET", target=target, headers=(("host", "shop.test"),))


def test_starlette_below_a_prefix(engine: Engine) -> None:
    """An app with a cart, mounted below `/shop`, has its cart at `/shop/cart`."""
    store = AsyncRedisStore(engine.url)
    shop = Starlette()
    ecart_starlette.ECart(shop, store, secret=SECRET)
    host = Host(Starlette(routes=[Mount("/shop", shop)]))

    answers = [host.send(look(target)) for target in ("/shop/cart", "/cart", "/shop/cart/x")]
    host.wait_for(store.close())
    host.close()

    assert [answer.status for answer in answers] == [200, 404, 404]
    assert answers[0].json["items"] == []
    assert answers[2].code == "not_found"


def test_starlette_keeps_the_apps_own_cookies(engine: Engine) -> None:
    """Ours is set beside what a view sets."""

    async def view(request: Request) -> PlainTextResponse:
        response = PlainTextResponse(ecart_starlette.cart_from(request).cart_id)
        response.set_cookie("theirs", "1")
        return response

    store = AsyncRedisStore(engine.url)
    app = Starlette(routes=[Route("/view", view)])
    ecart_starlette.ECart(app, store, secret=SECRET)
    host = Host(app)

    answer = host.send(look("/view"))
    host.close()

    assert sorted(cookie.partition("=")[0] for cookie in answer.set_cookies) == ["ecart", "theirs"]


@pytest.mark.parametrize("secret", ["", (), [""]])
def test_starlette_without_a_secret(engine: Engine, secret: Any) -> None:
    """A clear error at the start."""
    with pytest.raises(ValueError, match="secret"):
        ecart_starlette.ECart(Starlette(), engine.url, secret=secret)


def test_starlette_with_a_sync_store(store: RedisStore) -> None:
    """Refused at the start: it would block the event loop."""
    with pytest.raises(TypeError, match="asyncio"):
        ecart_starlette.ECart(Starlette(), store, secret=SECRET)  # type: ignore[arg-type]


def test_failures_are_logged_and_not_told(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """What a catalog said when it failed is in the log; the shopper reads a calm sentence."""

    def failing(skus: Any) -> Any:
        raise RuntimeError("password=hunter2")

    store = AsyncRedisStore(engine.url)
    app = Starlette()
    settings = HttpSettings(accept_unknown_skus=False)
    ecart_starlette.ECart(app, store, secret=SECRET, catalog=failing, settings=settings)
    host = Host(app)

    with caplog.at_level(logging.WARNING, "ecart.http"):
        answer = host.shopper().post("/cart/items", json={"sku": "apple"})
    host.close()

    assert b"hunter2" not in answer.body
    assert "hunter2" in caplog.text
