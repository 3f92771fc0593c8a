"""A visitor becomes a user and leaves again: what was gathered is kept once, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients import INTEGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper
    from engines import Engine

pytestmark = pytest.mark.parametrize("shop_class", INTEGRATIONS, indirect=True)


def log_in(shopper: Shopper, user: Any = 42) -> Answer:
    answer = shopper.post("/login", json={"user": user})
    assert answer.status // 100 == 2, answer
    return answer


def units(shopper: Shopper) -> dict[str, int]:
    """What the shopper sees in the cart."""
    return {item["sku"]: item["quantity"] for item in shopper.get("/cart").json["items"]}


def test_the_visitors_cart_becomes_the_users(shopper: Shopper, apple: dict[str, Any]) -> None:
    """It is told what was brought along, and the next look shows it."""
    said = log_in(shopper).json

    assert (said["cart_id"], said["refused"], said["report"]["added"]) == ("user.42", None, 1)
    assert shopper.get("/cart").json["cart_id"] == "user.42"
    assert units(shopper) == {"apple": 1}


def test_both_carts_are_added_up(shopper: Shopper, apple: dict[str, Any]) -> None:
    """The user had two apples from last time; a third comes along."""
    before = shopper.fresh()
    log_in(before)
    before.post("/cart/items", json={"sku": "apple", "quantity": 2})

    said = log_in(shopper).json

    assert (said["report"]["added"], said["report"]["raised"]) == (0, 1)
    assert units(shopper) == units(before) == {"apple": 3}


def test_without_a_cart_nothing_is_brought(shopper: Shopper, engine: Engine) -> None:
    """A log-in as the first request is no error, and writes nothing."""
    said = log_in(shopper).json

    assert (said["cart_id"], said["report"]["added"]) == ("user.42", 0)
    assert shopper.get("/cart").json["cart_id"] == "user.42"
    with engine.connected() as client:
        assert client.keys("*") == []


def test_a_repeated_log_in_counts_once(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Sent again, with the cookie of before or with the new one, it adds nothing."""
    late = shopper.fresh()
    late.cookies |= shopper.cookies
    log_in(shopper)

    repeated = log_in(late).json
    again = log_in(shopper).json

    assert (repeated["cart_id"], again["cart_id"]) == ("user.42", "user.42")
    assert units(shopper) == units(late) == {"apple": 1}


def test_another_device_finds_the_cart(shopper: Shopper, apple: dict[str, Any]) -> None:
    """By the user's id alone; what is added there is seen here."""
    log_in(shopper)
    phone = shopper.fresh()

    log_in(phone)
    phone.post("/cart/items", json={"sku": "banana"})

    assert units(shopper) == {"apple": 1, "banana": 1}


def test_users_do_not_meet(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Whoever logs in has the own cart."""
    log_in(shopper)
    other = shopper.fresh()

    log_in(other, "42x")

    assert units(other) == {}
    assert other.get("/cart").json["cart_id"] == "user.42x"


def test_views_have_the_users_cart(shopper: Shopper, apple: dict[str, Any]) -> None:
    """`cart_from` in the host's own views follows the log-in."""
    log_in(shopper)

    assert shopper.post("/gift").body == b"user.42"
    assert units(shopper) == {"apple": 1, "gift": 1}


def test_a_change_of_users_brings_nothing_along(shopper: Shopper, apple: dict[str, Any]) -> None:
    """A log-in over a log-in leaves the first user's cart where it is."""
    log_in(shopper, "ada")

    said = log_in(shopper, "bob").json

    assert (said["cart_id"], said["report"]["added"]) == ("user.bob", 0)
    assert units(shopper) == {}
    ada = shopper.fresh()
    log_in(ada, "ada")
    assert units(ada) == {"apple": 1}


def test_a_log_out_leaves_no_way_to_the_cart(shopper: Shopper, apple: dict[str, Any]) -> None:
    """The next visitor of this browser has an empty cart of another id; the user's waits."""
    log_in(shopper)

    shopper.post("/logout")

    seen = shopper.get("/cart").json
    assert (seen["items"], seen["cart_id"].startswith("user.")) == ([], False)
    shopper.post("/cart/items", json={"sku": "tea"})
    user = shopper.fresh()
    log_in(user)
    assert units(user) == {"apple": 1}


def test_a_log_out_of_nobody(shopper: Shopper) -> None:
    """It is no error."""
    assert shopper.post("/logout").status // 100 == 2
    assert units(shopper) == {}


def test_a_planted_cookie_opens_nothing(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Who had a visitor take over a cookie, before the log-in, sees nothing of the user's."""
    attacker = shopper.fresh()
    attacker.cookies |= shopper.cookies
    log_in(shopper)
    shopper.post("/cart/items", json={"sku": "banana"})

    seen = attacker.get("/cart").json
    refused = attacker.post("/cart/items", json={"sku": "tea"})
    gift = attacker.request("DELETE", "/cart")

    assert (seen["items"], seen["cart_id"] != "user.42") == ([], True)
    assert (refused.code, gift.code) == ("cart_merged", "cart_merged")
    assert b"user.42" not in refused.body
    assert units(shopper) == {"apple": 1, "banana": 1}


def test_the_cookie_is_another_after_the_log_in(shopper: Shopper, apple: dict[str, Any]) -> None:
    """The session is rotated: what was sent before is worth nothing now."""
    before = dict(shopper.cookies)

    answer = log_in(shopper)

    assert len(answer.set_cookies) == 1
    assert shopper.cookies[shopper.shop.cookie] != before[shopper.shop.cookie]
    assert "HttpOnly" in answer.set_cookies[0]


def test_a_cart_that_cannot_be_merged_stays(make_shop: Callable[..., Shop]) -> None:
    """Two currencies: the log-in goes through, says why, and shows the user's cart as it was."""
    euros, dollars = make_shop(currency="EUR").shopper(), make_shop().shopper()
    log_in(euros)
    euros.post("/cart/items", json={"sku": "apple"})
    dollars.post("/cart/items", json={"sku": "apple", "quantity": 5})

    said = log_in(dollars).json

    assert (said["cart_id"], said["refused"]) == ("user.42", "currency_mismatch")
    assert units(dollars) == units(euros) == {"apple": 1}
