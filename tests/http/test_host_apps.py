"""The cart as a guest in somebody's app: it takes `/cart`, one session key, and nothing else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import flask
import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from clients import INTEGRATIONS, Sent
from clients.asgi import AsgiShop
from ecart import AsyncRedisStore, RedisStore
from ecart.http import HttpSettings
from ecart.integrations import flask as ecart_flask
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


# Flask


@pytest.fixture
def store(engine: Engine) -> Iterator[RedisStore]:
    opened = RedisStore(engine.url)
    yield opened
    opened.close()


@pytest.fixture
def app(store: RedisStore) -> flask.Flask:
    """A Flask app with a session and an error page of its own."""
    made = flask.Flask("host")
    made.secret_key = SECRET
    made.register_error_handler(404, lambda error: ("my own page", 404))
    made.register_error_handler(422, lambda error: ("my own page", 422))

    @made.get("/visit")
    def visit() -> str:
        flask.session["visits"] = flask.session.get("visits", 0) + 1
        return str(flask.session["visits"])

    ecart_flask.ECart(made, store=store)
    return made


def kept_by(client: Any) -> dict[str, Any]:
    with client.session_transaction() as session:
        return dict(session)


def test_cart_session_persists_items_and_id(app: flask.Flask) -> None:
    """The issue's test, as it stands, with Flask's own client."""
    client: Any = app.test_client()

    r1 = client.post("/cart/items", json={"sku": "apple"})
    assert r1.status_code == 200
    cart_id_1 = r1.json["cart_id"]
    r2 = client.post("/cart/items", json={"sku": "banana"})
    assert r2.status_code == 200
    assert cart_id_1 == r2.json["cart_id"]
    r3 = client.get("/cart")
    assert r3.status_code == 200
    assert {item["sku"] for item in r3.json["items"]} == {"apple", "banana"}


def test_a_flask_session_keeps_its_other_keys(app: flask.Flask) -> None:
    """The session holds the cart id beside what the app put there, and nothing more of the cart."""
    client = app.test_client()
    client.get("/visit")

    cart = client.post("/cart/items", json={"sku": "apple"}).json
    client.get("/visit")

    assert cart is not None
    assert kept_by(client) == {"visits": 2, "ecart_cart_id": cart["cart_id"]}


def test_a_flask_session_without_a_cart_stays_without(app: flask.Flask) -> None:
    """Visiting other pages begins none."""
    client = app.test_client()
    client.get("/visit")

    assert kept_by(client) == {"visits": 1}


@pytest.mark.parametrize("kept", [5, None, "", ["x"], {"a": 1}, True])
def test_a_flask_session_that_holds_something_else(app: flask.Flask, kept: Any) -> None:
    """What is no cart id, whoever put it there, is a new session and no error."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["ecart_cart_id"] = kept

    cart = client.get("/cart").json

    assert cart is not None
    assert kept_by(client) == {"ecart_cart_id": cart["cart_id"]}


def test_a_flask_error_page_stays_where_it_is(app: flask.Flask) -> None:
    """The app's pages show on its routes; below `/cart` errors are ours."""
    client = app.test_client()

    assert client.get("/nothing").text == "my own page"
    assert client.get("/cart/nothing").json == {
        "type": "urn:ecart:error:not_found",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "detail": "there is nothing here",
    }
    assert client.post("/cart/items", json={}).mimetype == "application/problem+json"


def test_flask_signs_as_flask_does(app: flask.Flask) -> None:
    """The session cookie is Flask's own; whoever can read that can read ours."""
    client = app.test_client()
    cart = client.get("/cart").json
    cookie = client.get_cookie("session")

    interface: Any = app.session_interface
    serializer: URLSafeTimedSerializer = interface.get_signing_serializer(app)

    assert cart is not None and cookie is not None
    assert serializer.loads(cookie.value) == {"ecart_cart_id": cart["cart_id"]}


def test_flasks_own_limit_is_ours_too(app: flask.Flask) -> None:
    """A lower MAX_CONTENT_LENGTH of the app holds, and is refused in our words."""
    app.config["MAX_CONTENT_LENGTH"] = 100

    answer = app.test_client().post("/cart/items", json={"sku": "apple", "x": "y" * 200})

    assert answer.status_code == 413
    assert answer.json is not None and answer.json["code"] == "body_too_large"


def test_flask_below_a_prefix(app: flask.Flask) -> None:
    """Mounted below `/shop`, the cart is at `/shop/cart`."""
    answer = app.test_client().get("/cart", base_url="http://localhost/shop")

    assert answer.status_code == 200


def test_flask_by_an_application_factory(store: RedisStore) -> None:
    """One extension object, made first, serves several apps."""
    ecart = ecart_flask.ECart(store=store)
    apps = [flask.Flask(name) for name in ("one", "two")]
    for each in apps:
        each.secret_key = SECRET
        ecart.init_app(each)

    assert [each.test_client().get("/cart").status_code for each in apps] == [200, 200]


def test_flask_by_its_configuration(engine: Engine) -> None:
    """`ECART_REDIS_URL` is enough; the other keys are read too."""
    app = flask.Flask("host")
    app.secret_key = SECRET
    app.config |= {
        "ECART_REDIS_URL": engine.url,
        "ECART_CURRENCY": "EUR",
        "ECART_TTL": 60,
        "ECART_ACCEPT_UNKNOWN_SKUS": False,
    }
    ecart_flask.ECart(app)
    client = app.test_client()

    refused = client.post("/cart/items", json={"sku": "unicorn"})
    client.post("/cart/items", json={"sku": "apple"})

    assert refused.json is not None and refused.json["code"] == "unknown_sku"
    with engine.connected() as connection:
        (key,) = connection.keys("*")
        assert 55 < connection.ttl(key) <= 60


def test_flask_without_a_store() -> None:
    """A clear error at the start; never memory by silence."""
    with pytest.raises(RuntimeError, match="ECART_REDIS_URL"):
        ecart_flask.ECart(flask.Flask("host"))


def test_flask_without_a_secret(app: flask.Flask) -> None:
    """A clear error, since no session could be kept."""
    app.secret_key = None
    app.testing = True

    with pytest.raises(RuntimeError, match="secret_key"):
        app.test_client().get("/cart")


def test_flask_with_an_asyncio_store(engine: Engine) -> None:
    """Refused at the start: a sync app cannot await."""
    with pytest.raises(TypeError, match="not a store"):
        ecart_flask.ECart(flask.Flask("host"), store=AsyncRedisStore(engine.url))  # type: ignore[arg-type]


# Starlette


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
