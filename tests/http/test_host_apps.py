"""The cart as a guest in somebody's app: it takes `/cart`, one session key, and nothing else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from clients import INTEGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Shop, Shopper

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


# What fails


@integrations
def test_failures_are_logged_and_not_sent(
    make_shop: Callable[..., Shop], caplog: pytest.LogCaptureFixture
) -> None:
    """What a catalog said when it failed is in the log; the shopper reads a calm sentence."""

    def failing(skus: Any) -> Any:
        raise RuntimeError("password=hunter2")

    shopper = make_shop(catalog=failing).shopper()

    with caplog.at_level(logging.WARNING, "ecart.http"):
        answer = shopper.post("/cart/items", json={"sku": "apple"})

    assert (answer.status, answer.code) == (503, "catalog_unavailable")
    assert b"hunter2" not in answer.body
    assert "hunter2" in caplog.text
