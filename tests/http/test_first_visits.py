"""A cart that is begun without a session ends early, until the session is seen again."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from clients import FLASK, SERVICE, TWO
from ecart import Cart, RedisStore
from ecart.errors import OutcomeUnknownError, StoreUnavailableError
from ecart.flows import Perform
from ecart.http import Api, HttpSettings, Request, Session
from ecart.model import CartSnapshot
from ecart.operations import GetCart, Prolong
from ecart.tokens import SignedTokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper
    from engines import Engine

HOUR, WEEK = 3600, 604_800
ADD = {"sku": "apple"}

two = pytest.mark.parametrize("shop_class", TWO, indirect=True)


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """A deployment that gives first visits an hour."""
    return make_shop(first_ttl=HOUR)


def shown_life(cart: dict[str, Any]) -> float:
    """Seconds from the last change of a cart to its end, as its JSON says."""
    times = (datetime.fromisoformat(cart[name]) for name in ("expires_at", "updated_at"))
    end, change = times
    return (end - change).total_seconds()


def life(engine: Engine) -> int:
    """Seconds that the one key of an engine has left, in whole minutes, rounded up."""
    with engine.connected() as client:
        (key,) = client.keys("*:cart:*")
        return -(-client.pttl(key) // 60_000) * 60


def writes(engine: Engine) -> int:
    """How often an engine's data has been changed."""
    with engine.connected() as client:
        count: int = client.info("persistence")["rdb_changes_since_last_save"]
    return count


def test_a_first_change_makes_a_cart_that_ends_early(shopper: Shopper, engine: Engine) -> None:
    """What comes without a session is most often a robot's, and is gone within the hour."""
    cart = shopper.post("/cart/items", json=ADD).json

    assert shown_life(cart) == HOUR
    assert life(engine) == HOUR


def test_the_next_change_gives_it_its_full_life(shopper: Shopper, engine: Engine) -> None:
    """The session has come back with the cookie."""
    shopper.post("/cart/items", json=ADD)

    cart = shopper.post("/cart/items", json=ADD).json

    assert (shown_life(cart), cart["version"]) == (WEEK, 2)
    assert life(engine) == WEEK


@pytest.mark.parametrize(("method", "path"), [("GET", "/cart"), ("GET", "/cart/summary")])
def test_a_look_gives_it_its_full_life(
    method: str, path: str, shopper: Shopper, engine: Engine
) -> None:
    """Who comes back the same day and only looks finds the cart a week long."""
    first = shopper.post("/cart/items", json=ADD)

    look = shopper.request(method, path)

    assert (look.status, look.headers["etag"]) == (200, first.headers["etag"])
    assert life(engine) == WEEK
    cart = shopper.get("/cart").json
    assert shown_life(cart) == WEEK
    for name in ("version", "created_at", "updated_at", "items"):
        assert cart[name] == first.json[name]


def test_only_the_first_look_writes(shopper: Shopper, engine: Engine) -> None:
    """All others, of any visitor, change nothing in the engine."""
    shopper.post("/cart/items", json=ADD)
    before = writes(engine)
    shopper.get("/cart")
    once = writes(engine)

    for _ in range(3):
        shopper.get("/cart")
        shopper.get("/cart/summary")
        shopper.fresh().get("/cart")

    assert before < once == writes(engine)


def test_a_visitor_who_looked_first_is_no_first_visit(shopper: Shopper, engine: Engine) -> None:
    """The cookie came with the look and came back with the first change."""
    shopper.get("/cart")

    cart = shopper.post("/cart/items", json=ADD).json

    assert shown_life(cart) == WEEK
    assert life(engine) == WEEK


@pytest.mark.parametrize("token", ["", ".", "x" * 60, "o_4Q7CBsETD9MNqSDfu4Wg." + "a" * 43])
@two
def test_a_forged_session_is_a_first_visit(token: str, shopper: Shopper, engine: Engine) -> None:
    """Who makes cookies up has not been seen before, by cookie or by token."""
    cookie = {"cookie": f"{shopper.shop.cookie}={token}"}
    carts = [
        shopper.fresh().post("/cart/items", json=ADD, headers=headers).json
        for headers in (cookie, {"cart-token": token})
    ]

    assert [shown_life(cart) for cart in carts] == [HOUR, HOUR]


@two
def test_a_token_is_a_session_as_a_cookie_is(shopper: Shopper) -> None:
    """`Cart-Token: new` is a first visit; the token that was given is the session."""
    first = shopper.post("/cart/items", json=ADD, headers={"cart-token": "new"})
    token = {"cart-token": first.headers["cart-token"]}

    again = shopper.get("/cart", headers=token)

    assert (shown_life(first.json), shown_life(again.json)) == (HOUR, WEEK)


@pytest.mark.parametrize(("method", "status"), [("GET", 304), ("HEAD", 304)])
@two
def test_a_look_without_a_body_counts(
    method: str, status: int, shopper: Shopper, engine: Engine
) -> None:
    """Also one that says by its tag that it has the cart."""
    tag = shopper.post("/cart/items", json=ADD).headers["etag"]

    look = shopper.request(method, "/cart", headers={"if-none-match": tag})

    assert (look.status, look.body) == (status, b"")
    assert life(engine) == WEEK


@two
def test_a_life_that_was_chosen_stays(shopper: Shopper, engine: Engine) -> None:
    """`set_ttl` of the shop's own code beats both."""
    cart_id = shopper.post("/cart/items", json=ADD).json["cart_id"]
    store = RedisStore(engine.url)
    Cart(cart_id, store).set_ttl(HOUR)
    store.close()

    assert shown_life(shopper.get("/cart").json) == HOUR
    assert shown_life(shopper.post("/cart/items", json=ADD).json) == HOUR


@two
def test_it_is_gone_when_nobody_came_back(make_shop: Callable[..., Shop], engine: Engine) -> None:
    """And the cart of who did is there."""
    shop = make_shop(first_ttl=1)
    once, twice = shop.shopper(), shop.shopper()
    for shopper in (once, twice):
        shopper.post("/cart/items", json=ADD)
    twice.get("/cart")

    time.sleep(1.1)

    assert (once.get("/cart").json["items"], twice.get("/cart").json["version"]) == ([], 1)
    assert life(engine) == WEEK


@pytest.mark.parametrize("first_ttl", [None, WEEK, WEEK + 1])
@two
def test_it_is_off_unless_it_is_shorter(make_shop: Callable[..., Shop], first_ttl: Any) -> None:
    """Nothing is prolonged, nothing is cut."""
    shopper = make_shop(first_ttl=first_ttl).shopper()

    assert shown_life(shopper.post("/cart/items", json=ADD).json) == WEEK
    assert shown_life(shopper.get("/cart").json) == WEEK


@pytest.mark.parametrize("shop_class", [FLASK], indirect=True)
def test_a_user_s_cart_does_not_end_early(shopper: Shopper, engine: Engine) -> None:
    """What a log-in merges lives as any cart of a user."""
    shopper.post("/cart/items", json=ADD)

    shopper.post("/login", json={"user": 42})

    assert shown_life(shopper.get("/cart").json) == WEEK


@pytest.mark.parametrize("shop_class", [SERVICE], indirect=True)
def test_the_back_office_makes_no_first_visits(make_shop: Callable[..., Shop]) -> None:
    """It has no session, and what it merges into is no visitor's."""
    key = "a key of the tests, long enough"
    office = {"authorization": f"Bearer {key}"}
    shopper = make_shop(first_ttl=HOUR, office_keys=(key,)).shopper()
    source = shopper.post("/cart/items", json=ADD).json["cart_id"]

    merged: Answer = shopper.fresh().post(
        "/carts/wish-list/merge", json={"source": source}, headers=office
    )

    assert shown_life(merged.json["cart"]) == WEEK


def test_a_cart_with_its_full_life_is_asked_for_once() -> None:
    """A usual look is one round trip, as ever."""
    settings = HttpSettings(first_ttl_seconds=HOUR)
    cart = CartSnapshot("c", "USD", version=1, epoch="e", updated_ms=1, ttl_ms=WEEK * 1000)
    request = Request(method="GET", path="/cart", session=Session("c"))
    flow = Api(settings, SignedTokens(["a secret"])).handle(request)

    assert next(flow) == Perform("c", GetCart(rules=settings.rules))
    with pytest.raises(StopIteration) as ended:
        flow.send(cart)

    assert ended.value.value.status == 200


@pytest.mark.parametrize("error", [StoreUnavailableError("down"), OutcomeUnknownError("?", "x")])
def test_a_look_never_fails_for_it(error: Exception) -> None:
    """If the store reads and does not write, the cart is shown as it is."""
    settings = HttpSettings(first_ttl_seconds=HOUR)
    cart = CartSnapshot("c", "USD", version=1, epoch="e", updated_ms=1, ttl_ms=HOUR * 1000)
    request = Request(method="GET", path="/cart", session=Session("c"))
    flow = Api(settings, SignedTokens(["a secret"])).handle(request)

    assert next(flow) == Perform("c", GetCart(rules=settings.rules))
    step = flow.send(cart)
    assert isinstance(step.operation, Prolong)
    with pytest.raises(StopIteration) as ended:
        flow.throw(error)

    assert ended.value.value.status == 200
    assert b'"expires_at":"1970-01-01T01:00:00.001000Z"' in ended.value.value.body
