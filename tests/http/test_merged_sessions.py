"""A log-in: the visitor's cart goes into the user's, and the old session opens nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients.examples import BEGIN_CHECKOUT, CHANGES, RELEASE_CHECKOUT
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper
    from engines import Engine

KEY = "a-key-of-the-back-office"
USER = "user.42"


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop(office_keys=(KEY,))


@pytest.fixture
def shopper(shop: Shop) -> Shopper:
    return shop.shopper()


def log_in(shop: Shop, token: str | None, user: str = USER) -> Answer:
    """What the shop's server does when a user has logged in."""
    headers = {"Authorization": f"Bearer {KEY}", "Cart-Token": token}
    return shop.shopper().post(f"/carts/{user}/session", headers=headers)


def visitor_with(shop: Shop, **units: int) -> str:
    """The token of a visitor who has added these."""
    token = "new"
    for sku, quantity in units.items():
        body = {"sku": sku, "quantity": quantity}
        answer = shop.shopper().post("/cart/items", json=body, headers={"Cart-Token": token})
        token = answer.headers["cart-token"]
    return token


def cart_of(shop: Shop, token: str) -> Answer:
    return shop.shopper().get("/cart", headers={"Cart-Token": token})


def units(answer: Answer) -> dict[str, int]:
    cart = answer.json.get("cart", answer.json)
    return {item["id"]: item["quantity"] for item in cart["items"]}


def test_the_visitors_cart_comes_along(shop: Shop) -> None:
    """One call merges, gives the user's session, and tells what happened."""
    log_in(shop, visitor_with(shop, apple=1))
    visitor = visitor_with(shop, apple=2, tea=1)

    told = log_in(shop, visitor)

    report = {name: told.json[name] for name in ("added", "raised", "clamped", "left", "refused")}
    assert report == {"added": 1, "raised": 1, "clamped": 0, "left": 0, "refused": None}
    assert told.json["cart"]["cart_id"] == USER
    assert units(told) == units(cart_of(shop, told.headers["cart-token"])) == {"apple": 3, "tea": 1}
    assert told.set_cookies == ()


def test_a_log_in_that_is_sent_again_merges_once(shop: Shop) -> None:
    """A second tab, a second click, a lost answer."""
    visitor = visitor_with(shop, apple=2)

    first, again = log_in(shop, visitor), log_in(shop, visitor)

    assert (first.json["replayed"], again.json["replayed"]) == (False, True)
    assert units(again) == {"apple": 2}


def test_another_device_finds_the_same_cart(shop: Shop) -> None:
    """A session without a cart of its own brings none."""
    log_in(shop, visitor_with(shop, apple=2))

    told = log_in(shop, None)

    assert units(cart_of(shop, told.headers["cart-token"])) == {"apple": 2}


def test_one_user_does_not_take_another_users_cart(shop: Shop) -> None:
    """Who logs in over somebody's session brings nothing of it along."""
    other = log_in(shop, visitor_with(shop, apple=2), "user.41").headers["cart-token"]

    told = log_in(shop, other)

    assert units(told) == {}
    assert units(cart_of(shop, other)) == {"apple": 2}


def test_a_cart_that_cannot_be_merged_is_left_alone(shop: Shop) -> None:
    """The log-in does not fail for it."""
    visitor = visitor_with(shop, apple=2)
    shop.shopper().post("/cart/checkout", headers={"Cart-Token": visitor})

    told = log_in(shop, visitor)

    assert (told.status, told.json["refused"]) == (200, "cart_locked")
    assert (units(told), units(cart_of(shop, visitor))) == ({}, {"apple": 2})


@pytest.mark.parametrize("cart_id", ["42", "user.", "user-42", "AAAAAAAAAAAAAAAAAAAAAA"])
def test_sessions_are_begun_for_users_alone(shop: Shop, cart_id: str) -> None:
    """A key of the back office opens no visitor's session."""
    answer = log_in(shop, None, cart_id)

    assert (answer.status, answer.code) == (404, "cart_not_found")


def test_the_old_session_reads_as_empty(shop: Shop, shopper: Shopper) -> None:
    """Under an id of nobody's. Its cookie stays: another tab may have the user's by now."""
    shopper.post("/cart/items", json={"sku": "apple"})
    before = dict(shopper.cookies)
    merge(shop, shopper)

    for target in ("/cart", "/cart/summary"):
        shown = shopper.get(target)

        assert (shown.status, shown.json["total_quantity"]) == (200, 0)
        assert shown.json["cart_id"] not in (USER, None)
        assert shown.set_cookies == ()
    assert shopper.cookies == before


@pytest.mark.parametrize(
    ("method", "target", "options"), [*CHANGES, BEGIN_CHECKOUT, RELEASE_CHECKOUT]
)
def test_the_old_session_changes_nothing(
    shop: Shop, shopper: Shopper, method: str, target: str, options: dict[str, Any]
) -> None:
    """What was under way when the user logged in is refused, so that nothing is thought kept."""
    shopper.post("/cart/items", json={"sku": "apple"})
    merge(shop, shopper)

    answer = shopper.request(method, target, **options)

    assert (answer.status, answer.code) == (409, "cart_merged")
    assert (answer.set_cookies, USER.encode() in answer.body) == ((), False)


def test_the_old_session_is_a_new_one_after_a_minute(
    shop: Shop, shopper: Shopper, engine: Engine
) -> None:
    """Whoever still has its cookie begins from nothing, and can shop."""
    old = shopper.post("/cart/items", json={"sku": "apple"}).json["cart_id"]
    merge(shop, shopper)
    a_minute_passes(engine, old)

    added = shopper.post("/cart/items", json={"sku": "pear"})

    assert (added.status, units(added)) == (200, {"pear": 1})
    assert added.json["cart_id"] not in (old, USER)
    assert shopper.get("/cart").json["cart_id"] == added.json["cart_id"]


def test_the_old_token_is_a_new_one_after_a_minute(shop: Shop, engine: Engine) -> None:
    """As with a cookie."""
    visitor = visitor_with(shop, apple=1)
    old = cart_of(shop, visitor).json["cart_id"]
    log_in(shop, visitor)
    a_minute_passes(engine, old)

    shown = cart_of(shop, visitor)

    assert (shown.json["items"], shown.json["cart_id"] in (old, USER)) == ([], False)
    assert cart_of(shop, shown.headers["cart-token"]).json["cart_id"] == shown.json["cart_id"]


def merge(shop: Shop, shopper: Shopper) -> None:
    """The shop's server merges the session's cart, while the shopper's cookie stays the old one."""
    source = shopper.get("/cart").json["cart_id"]
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = shop.shopper().post(f"/carts/{USER}/merge", json={"source": source}, headers=headers)
    assert answer.status == 200


def a_minute_passes(engine: Engine, cart_id: str) -> None:
    """For this cart: it was changed last a minute earlier than it was."""
    key = Keyspace().cart(cart_id)
    with engine.connected() as client:
        parts = client.hget(key, "v").split(b"|")
        parts[2] = b"%d" % (int(parts[2]) - 60_000)
        client.hset(key, "v", b"|".join(parts))
        client.pexpire(key, client.pttl(key) - 60_000)
