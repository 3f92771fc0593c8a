"""The shopper's check-out: holding the cart, what is refused meanwhile, letting go of it."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from clients.examples import BEGIN_CHECKOUT, CHANGES, SET_TO_ZERO

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper
    from engines import Engine

KEY = "a-key-of-the-back-office"


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """A deployment whose back office completes what shoppers begin."""
    return make_shop(office_keys=(KEY,))


def begin(shopper: Shopper, **options: Any) -> Answer:
    return shopper.post("/cart/checkout", **options)


def release(shopper: Shopper, **options: Any) -> Answer:
    return shopper.delete("/cart/checkout", **options)


def complete(shopper: Shopper, held: Answer, order_id: str = "order-1") -> Answer:
    """As the shop's own server does, which has the key and no cookie."""
    cart_id, checkout_id = held.json["cart"]["cart_id"], held.json["checkout_id"]
    return shopper.fresh().post(
        f"/carts/{cart_id}/checkout/{checkout_id}/complete",
        json={"order_id": order_id},
        headers={"Authorization": f"Bearer {KEY}"},
    )


def units(answer: Answer) -> dict[str, int]:
    return {item["id"]: item["quantity"] for item in answer.json["items"]}


def test_the_hand_over(shopper: Shopper, apple: dict[str, Any]) -> None:
    """The cart as it was seen, the id to order it under, and until when it is held."""
    answer = begin(shopper)

    held = answer.json
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert re.fullmatch(r"[\w-]{16,64}", held["checkout_id"])
    assert held == {
        "checkout_id": held["checkout_id"],
        "expires_at": held["expires_at"],
        "cart": {
            **apple,
            "version": 2,
            "etag": answer.headers["etag"].strip('"'),
            "updated_at": held["cart"]["updated_at"],
            "expires_at": held["cart"]["expires_at"],
            "checkout": {"checkout_id": held["checkout_id"], "expires_at": held["expires_at"]},
        },
    }


def test_the_cart_shows_its_check_out(shopper: Shopper, apple: dict[str, Any]) -> None:
    """To the shopper who began it, with the same tag as the hand-over had."""
    held = begin(shopper)

    answer = shopper.get("/cart")

    assert answer.json == held.json["cart"]
    assert answer.headers["etag"] == held.headers["etag"]
    assert shopper.get("/cart/summary").json["version"] == 2


def test_a_cart_is_held_for_a_quarter_of_an_hour(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Counted from the change that began it, by the engine's clock."""
    held = begin(shopper).json

    deadline, began = (
        datetime.fromisoformat(text) for text in (held["expires_at"], held["cart"]["updated_at"])
    )
    assert (deadline - began).total_seconds() == 900


def test_how_long_is_a_setting(make_shop: Callable[..., Shop]) -> None:
    """In seconds."""
    shopper = make_shop(hold_seconds=60).shopper()
    shopper.post("/cart/items", json={"sku": "apple"})

    held = begin(shopper).json

    deadline, began = (
        datetime.fromisoformat(text) for text in (held["expires_at"], held["cart"]["updated_at"])
    )
    assert (deadline - began).total_seconds() == 60


@pytest.mark.parametrize(("method", "target", "options"), [*CHANGES, *SET_TO_ZERO, BEGIN_CHECKOUT])
def test_a_held_cart_is_not_changed(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """409 `cart_locked`, and the cart stays as it was handed over."""
    held = begin(shopper).json

    answer = shopper.request(method, target, **options)

    assert (answer.status, answer.code) == (409, "cart_locked")
    assert shopper.get("/cart").json == held["cart"]


def test_releasing_opens_the_cart(shopper: Shopper, apple: dict[str, Any]) -> None:
    """As it was; then it takes changes again, and another check-out."""
    first = begin(shopper).json

    answer = release(shopper)

    assert (answer.status, answer.json["checkout"], answer.json["version"]) == (200, None, 3)
    assert answer.json["items"] == apple["items"]
    assert answer.headers["etag"] == shopper.get("/cart").headers["etag"]
    assert shopper.post("/cart/items", json={"sku": "apple"}).status == 200
    assert begin(shopper).json["checkout_id"] != first["checkout_id"]


@pytest.mark.parametrize("has_begun", [True, False])
def test_releasing_what_is_not_held(
    shopper: Shopper, apple: dict[str, Any], has_begun: bool
) -> None:
    """409 `checkout_not_open`, before a check-out and after it."""
    if has_begun:
        begin(shopper)
        release(shopper)
    before = shopper.get("/cart").json

    answer = release(shopper)

    assert (answer.status, answer.code) == (409, "checkout_not_open")
    assert shopper.get("/cart").json == before


@pytest.mark.parametrize("act", [begin, release])
def test_a_visitor_without_a_cart(
    shopper: Shopper, engine: Engine, act: Callable[[Shopper], Answer]
) -> None:
    """409, no session begins, and nothing is written."""
    answer = act(shopper)

    assert answer.status == 409
    assert answer.code == {begin: "cart_empty", release: "checkout_not_open"}[act]
    assert shopper.cookies == {}
    with engine.connected() as client:
        assert client.keys("*") == []


def test_an_emptied_cart_is_not_handed_over(shopper: Shopper, apple: dict[str, Any]) -> None:
    """409 `cart_empty`, and it is not held either."""
    shopper.delete("/cart")

    answer = begin(shopper)

    assert (answer.status, answer.code) == (409, "cart_empty")
    assert shopper.post("/cart/items", json={"sku": "apple"}).status == 200


def test_completing_empties_the_cart(shopper: Shopper, apple: dict[str, Any]) -> None:
    """What was ordered leaves it; the shopper goes on with the same cart."""
    held = begin(shopper)

    assert complete(shopper, held).status == 200

    cart = shopper.get("/cart").json
    assert (cart["cart_id"], cart["items"], cart["checkout"]) == (apple["cart_id"], [], None)
    assert units(shopper.post("/cart/items", json={"sku": "tea"})) == {"tea": 1}


def test_additions_can_wait_for_the_next_order(make_shop: Callable[..., Shop]) -> None:
    """By setting: adding is not refused, other changes are; only what was seen is ordered."""
    shopper = make_shop(keep_additions=True, office_keys=(KEY,)).shopper()
    shopper.post("/cart/items", json={"sku": "apple", "quantity": 3})
    held = begin(shopper)

    added = [shopper.post("/cart/items", json={"sku": sku}) for sku in ("apple", "bread")]
    refused = shopper.patch("/cart/items/apple", json={"quantity": 1})

    assert units(added[-1]) == {"apple": 4, "bread": 1}
    assert added[-1].json["checkout"]["checkout_id"] == held.json["checkout_id"]
    assert (refused.status, refused.code) == (409, "cart_locked")
    done = complete(shopper, held)
    assert units(done) == units(shopper.get("/cart")) == {"apple": 1, "bread": 1}
    assert done.json["subtotal"] == "4.70"


def test_only_what_the_shopper_saw(shopper: Shopper, apple: dict[str, Any]) -> None:
    """`If-Match`: a cart that has moved on is shown with the 412, and not held."""
    seen = shopper.get("/cart").headers["etag"]
    moved = shopper.post("/cart/items", json={"sku": "banana"})

    refused = begin(shopper, headers={"If-Match": seen})

    assert (refused.status, refused.code) == (412, "version_conflict")
    assert refused.json["cart"] == moved.json
    assert refused.headers["etag"] == moved.headers["etag"]
    assert shopper.get("/cart").json["checkout"] is None
    assert begin(shopper, headers={"If-Match": moved.headers["etag"]}).status == 200


def test_releasing_only_what_the_shopper_saw(shopper: Shopper, apple: dict[str, Any]) -> None:
    """`If-Match` holds for the release too."""
    seen = shopper.get("/cart").headers["etag"]
    held = begin(shopper)

    refused = release(shopper, headers={"If-Match": seen})

    assert (refused.status, refused.json["cart"]) == (412, held.json["cart"])
    assert release(shopper, headers={"If-Match": held.headers["etag"]}).status == 200


def test_a_repeated_begin_hands_over_the_same(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Under one `Idempotency-Key`; the repeat says that it is one, whatever `If-Match` said."""
    headers = {"Idempotency-Key": "page-1", "If-Match": shopper.get("/cart").headers["etag"]}
    first = begin(shopper, headers=headers)

    again = begin(shopper, headers=headers)

    assert (again.status, again.json) == (200, first.json)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]


def test_a_repeated_begin_does_not_hand_over_what_came_later(
    make_shop: Callable[..., Shop],
) -> None:
    """It shows what completing will take out, not what was added since."""
    shopper = make_shop(keep_additions=True).shopper()
    shopper.post("/cart/items", json={"sku": "apple", "quantity": 3})
    first = begin(shopper, headers={"Idempotency-Key": "k"}).json
    shopper.post("/cart/items", json={"sku": "apple"})
    shopper.post("/cart/items", json={"sku": "bread"})

    again = begin(shopper, headers={"Idempotency-Key": "k"}).json

    assert again["checkout_id"] == first["checkout_id"]
    assert again["cart"]["items"] == first["cart"]["items"]
    assert again["cart"]["subtotal"] == first["cart"]["subtotal"] == "1.50"


@pytest.mark.parametrize("is_held_again", [False, True])
def test_a_late_repeat_of_begin_begins_nothing(
    shopper: Shopper, apple: dict[str, Any], is_held_again: bool
) -> None:
    """After its check-out has ended it is 409; another's check-out is not handed over to it."""
    begin(shopper, headers={"Idempotency-Key": "page-1"})
    release(shopper)
    if is_held_again:
        begin(shopper, headers={"Idempotency-Key": "page-2"})
    before = shopper.get("/cart").json

    answer = begin(shopper, headers={"Idempotency-Key": "page-1"})

    assert (answer.status, answer.code) == (409, "checkout_not_open")
    assert shopper.get("/cart").json == before


def test_a_repeated_release_opens_nothing_else(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Under one `Idempotency-Key`, also when the next check-out holds the cart by then."""
    begin(shopper)
    first = release(shopper, headers={"Idempotency-Key": "k"})
    again = release(shopper, headers={"Idempotency-Key": "k"})
    held = begin(shopper).json

    late = release(shopper, headers={"Idempotency-Key": "k"})

    assert (first.status, again.status, late.status) == (200, 200, 200)
    assert "idempotency-replayed" not in first.headers
    assert again.json == first.json
    assert again.headers["idempotency-replayed"] == "true"
    assert late.headers["idempotency-replayed"] == "true"
    assert late.json == shopper.get("/cart").json == held["cart"]


def test_a_key_names_one_request(shopper: Shopper, apple: dict[str, Any]) -> None:
    """What added an item begins no check-out: 422."""
    headers = {"Idempotency-Key": "k"}
    shopper.post("/cart/items", json={"sku": "apple"}, headers=headers)

    for answer in (begin(shopper, headers=headers), release(shopper, headers=headers)):
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert shopper.get("/cart").json["checkout"] is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"body": b""},
        {"json": {}},
        {"body": b" {} "},
        {"body": [b"{", b"}"]},
        {"json": {}, "headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"headers": {"Content-Type": "application/json"}},
        {"headers": {"Content-Length": "0"}},
    ],
    ids=str,
)
def test_there_is_nothing_to_send(
    shopper: Shopper, apple: dict[str, Any], options: dict[str, Any]
) -> None:
    """No body, or an empty object."""
    assert begin(shopper, **options).status == 200


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"body": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"body": b"{}", "headers": {"Content-Type": None}}, 415, "unsupported_media_type"),
        ({"headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        (
            {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            415,
            "unsupported_media_type",
        ),
        ({"body": b"{"}, 400, "invalid_json"),
        ({"body": b"\xff"}, 400, "invalid_json"),
        ({"body": b"[" * 5000}, 400, "invalid_json"),
        ({"json": []}, 422, "invalid_body"),
        ({"json": None}, 422, "invalid_body"),
        ({"json": {"hold": 1}}, 422, "unknown_field"),
        ({"json": {"checkout_id": "mine"}}, 422, "unknown_field"),
        ({"body": b"{}" + b" " * 20_000}, 413, "body_too_large"),
        ({"headers": {"Origin": "https://evil.test"}}, 403, "cross_site_request"),
        ({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "cross_site_request"),
        ({"headers": {"Accept": "text/html"}}, 406, "not_acceptable"),
        ({"headers": {"If-Match": "x"}}, 400, "invalid_header"),
        ({"headers": {"Idempotency-Key": ""}}, 400, "invalid_header"),
    ],
)
def test_what_begins_nothing(
    shopper: Shopper, apple: dict[str, Any], options: dict[str, Any], status: int, code: str
) -> None:
    """Anything else in the body, from elsewhere, or not to be understood."""
    answer = begin(shopper, **options)

    assert (answer.status, answer.code) == (status, code)
    assert shopper.get("/cart").json == apple


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_no_other_site_releases(
    shopper: Shopper, apple: dict[str, Any], headers: dict[str, str]
) -> None:
    """403, and the cart is still held."""
    held = begin(shopper).json

    assert release(shopper, headers=headers).status == 403
    assert shopper.get("/cart").json == held["cart"]


def test_time_that_ran_out_opens_the_cart(make_shop: Callable[..., Shop]) -> None:
    """The next change is let in; until then the cart shows the time that has passed."""
    shopper = make_shop(hold_seconds=1, office_keys=(KEY,)).shopper()
    shopper.post("/cart/items", json={"sku": "apple"})
    held = begin(shopper)
    time.sleep(1.05)
    assert shopper.get("/cart").json == held.json["cart"]

    added = shopper.post("/cart/items", json={"sku": "bread"})

    assert (added.status, added.json["checkout"]) == (200, None)
    assert units(added) == {"apple": 1, "bread": 1}
    late = complete(shopper, held)
    assert (late.status, late.code) == (409, "checkout_not_open")
    assert shopper.get("/cart").json == added.json


def test_a_late_order_counts_while_nobody_has_come(make_shop: Callable[..., Shop]) -> None:
    """The payment was slow, the cart is as it was handed over: it is ordered."""
    shopper = make_shop(hold_seconds=1, office_keys=(KEY,)).shopper()
    shopper.post("/cart/items", json={"sku": "apple"})
    held = begin(shopper)
    time.sleep(1.05)

    assert complete(shopper, held).status == 200
    assert shopper.get("/cart").json["items"] == []


def test_a_stranger_has_no_part_in_it(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Another session neither sees, releases, nor gets what this one holds."""
    held = begin(shopper).json
    stranger = shopper.fresh()
    stranger.post("/cart/items", json={"sku": "apple"})

    seen = stranger.get("/cart")
    refused = release(stranger)
    own = begin(stranger).json

    assert held["checkout_id"].encode() not in seen.body
    assert (refused.status, refused.code) == (409, "checkout_not_open")
    assert own["checkout_id"] != held["checkout_id"]
    assert shopper.get("/cart").json == held["cart"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nothing"}])
def test_a_shopper_does_not_complete(
    shopper: Shopper, apple: dict[str, Any], headers: dict[str, str]
) -> None:
    """Nor does the session's own checkout id open the back office."""
    held = begin(shopper).json
    path = f"/carts/{apple['cart_id']}/checkout/{held['checkout_id']}"

    for end, body in (("complete", {"order_id": "free"}), ("release", {})):
        answer = shopper.post(f"{path}/{end}", json=body, headers=headers)
        assert (answer.status, answer.code) == (401, "unauthorized")
    assert shopper.get("/cart").json == held["cart"]


def test_a_client_without_cookies_checks_out(shopper: Shopper) -> None:
    """By its `Cart-Token`."""
    token = shopper.get("/cart", headers={"Cart-Token": "new"}).headers["cart-token"]
    headers = {"Cart-Token": token}
    shopper.post("/cart/items", json={"sku": "apple"}, headers=headers)

    held = begin(shopper, headers=headers)

    assert held.status == 200
    assert held.headers["cart-token"]
    assert release(shopper.fresh(), headers=headers).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH"])
def test_other_methods_are_refused(shopper: Shopper, apple: dict[str, Any], method: str) -> None:
    """405 with `Allow`; OPTIONS tells the same."""
    answer = shopper.request(method, "/cart/checkout")
    options = shopper.request("OPTIONS", "/cart/checkout")

    assert (answer.status, options.status) == (405, 204)
    assert answer.headers["allow"] == options.headers["allow"] == "DELETE, OPTIONS, POST"
    assert shopper.get("/cart").json == apple
