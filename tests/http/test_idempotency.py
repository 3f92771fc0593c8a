"""Idempotency-Key: a change under one name is applied once, however often it is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from clients.examples import CHANGES, CHANGES_NAMED, SET_TO_ZERO

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper


def add(shopper: Shopper, key: str, **body: Any) -> Answer:
    return shopper.post(
        "/cart/items", json={"sku": "apple", **body}, headers={"Idempotency-Key": key}
    )


def test_a_repeated_add_counts_once(shopper: Shopper) -> None:
    """The repeat answers 200 with the cart, and says that it was one."""
    first = add(shopper, "k1")

    second = add(shopper, "k1")

    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (second.status, second.json) == (200, first.json)
    assert second.headers["etag"] == first.headers["etag"]


def test_a_repeat_of_what_found_no_cart_changes_nothing(shopper: Shopper) -> None:
    """Emptied while nothing was there: the repeat spares what was added since."""
    headers = {"Idempotency-Key": "k1"}
    shopper.get("/cart")
    shopper.delete("/cart", headers=headers)
    shopper.post("/cart/items", json={"sku": "apple"})

    again = shopper.delete("/cart", headers=headers)

    assert again.headers["idempotency-replayed"] == "true"
    assert [item["sku"] for item in again.json["items"]] == ["apple"]


def test_a_key_can_be_asked_about(shopper: Shopper) -> None:
    """Whether its change has reached this cart, and when. Asking changes nothing."""
    shopper.get("/cart")
    assert shopper.get("/cart/operations/k%201").code == "operation_not_found"
    before = datetime.now(UTC).replace(microsecond=0)
    add(shopper, "k 1")

    told = shopper.get("/cart/operations/k%201")

    assert (told.status, told.json["operation_id"]) == (200, "k 1")
    assert before <= datetime.fromisoformat(told.json["applied_at"]) <= datetime.now(UTC)
    assert "etag" not in told.headers
    assert shopper.get("/cart").json["version"] == 1


@pytest.mark.parametrize("key", ["k2", "~", "~writer.1.1", "%00", "k1/k1", "x" * 300])
def test_what_never_was_a_key_is_not_found(shopper: Shopper, key: str) -> None:
    """Unknown, given by nobody, or no key at all."""
    add(shopper, "k1")

    assert shopper.get(f"/cart/operations/{key}").code == "operation_not_found"


def test_a_key_of_another_session_is_not_found(shopper: Shopper) -> None:
    """Each cart knows its own changes."""
    add(shopper, "k1")
    stranger = shopper.fresh()
    add(stranger, "k2")

    assert stranger.get("/cart/operations/k1").code == "operation_not_found"


def test_names_that_the_store_gives_are_no_keys(shopper: Shopper) -> None:
    """Else a client could number the changes of a worker."""
    for key in ("~AAAAAAAAAAA.1.1", "~AAAAAAAAAAA.0", "~"):
        answer = add(shopper, key)
        assert (answer.status, answer.code) == (400, "invalid_header")


def test_a_client_numbers_its_changes(shopper: Shopper) -> None:
    """The last one is recognised, and an earlier one is stale."""
    for number in range(1, 21):
        assert add(shopper, f"~AAAAAAAAAAA.0.{number}").status == 200

    repeated = add(shopper, "~AAAAAAAAAAA.0.20")
    assert repeated.headers["idempotency-replayed"] == "true"
    assert repeated.json["total_quantity"] == 20
    assert add(shopper, "~AAAAAAAAAAA.0.19").code == "stale_operation"
    other = shopper.delete("/cart", headers={"Idempotency-Key": "~AAAAAAAAAAA.0.20"})
    assert other.code == "idempotency_key_reused"
    assert shopper.get("/cart/operations/~AAAAAAAAAAA.0.20").status == 200
    assert shopper.get("/cart/operations/~AAAAAAAAAAA.0.1").status == 404


def test_other_keys_are_other_changes(shopper: Shopper) -> None:
    """Two keys, two apples."""
    add(shopper, "k1")

    second = add(shopper, "k2")

    assert "idempotency-replayed" not in second.headers
    assert second.json["total_quantity"] == 2


def test_a_repeat_shows_the_cart_as_it_is_now(shopper: Shopper) -> None:
    """Not as it was: what came between stays."""
    add(shopper, "k1")
    shopper.post("/cart/items", json={"sku": "banana"})

    again = add(shopper, "k1")

    assert again.json == shopper.get("/cart").json
    assert [item["sku"] for item in again.json["items"]] == ["apple", "banana"]


@pytest.mark.parametrize(
    ("method", "target", "options"),
    [*CHANGES, *SET_TO_ZERO],
    ids=[*CHANGES_NAMED, "set to 0", "set to 0 in body"],
)
def test_every_change_can_be_named(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """The repeat does not undo what was done since, and is no 404."""
    headers = {"Idempotency-Key": "k"}
    first = shopper.request(method, target, headers=headers, **options)
    since = shopper.post("/cart/items", json={"sku": "apple", "quantity": 3})

    again = shopper.request(method, target, headers=headers, **options)

    assert (first.status, again.status) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json == since.json


def test_a_repeat_is_known_before_its_condition_is_checked(
    shopper: Shopper, apple: dict[str, Any]
) -> None:
    """A change with `If-Match` whose answer was lost can be sent again as it was."""
    headers = {"Idempotency-Key": "k", "If-Match": shopper.get("/cart").headers["etag"]}
    first = shopper.post("/cart/items", json={"sku": "apple"}, headers=headers)

    again = shopper.post("/cart/items", json={"sku": "apple"}, headers=headers)

    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status, again.json) == (200, first.json)


def test_a_refused_change_does_not_use_up_its_key(shopper: Shopper) -> None:
    """Nothing was applied, so the same request may succeed later."""
    headers = {"Idempotency-Key": "k"}
    refused = shopper.delete("/cart/items/apple", headers=headers)
    shopper.post("/cart/items", json={"sku": "apple"})

    answer = shopper.delete("/cart/items/apple", headers=headers)

    assert (refused.status, answer.status) == (404, 200)
    assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize(
    ("method", "target", "options"),
    [("POST", "/cart/items", {"json": {"sku": "apple", "quantity": 2}}), *CHANGES],
)
def test_a_key_names_one_request(
    shopper: Shopper, method: str, target: str, options: dict[str, Any]
) -> None:
    """Another body, method or path under it is a mistake: 422, and nothing changes."""
    cart = add(shopper, "k").json

    answer = shopper.request(method, target, headers={"Idempotency-Key": "k"}, **options)

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert shopper.get("/cart").json == cart


def test_carts_do_not_share_keys(shopper: Shopper) -> None:
    """Another shopper's `k` is another change."""
    other = shopper.fresh()
    add(shopper, "k")

    answer = add(other, "k", quantity=3)

    assert "idempotency-replayed" not in answer.headers
    assert answer.json["total_quantity"] == 3


def test_a_key_outlives_the_process(make_shop: Callable[..., Shop]) -> None:
    """A repeat that another process answers is known there too."""
    shopper = make_shop().shopper()
    first = add(shopper, "k")
    elsewhere = make_shop().shopper()
    elsewhere.cookies |= shopper.cookies

    again = add(elsewhere, "k")

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json == first.json


@pytest.mark.parametrize("bare", ["k", "8e03978e-40d5-43dd-bc93-6894a57f9324", "a b", 'a"b'])
def test_a_key_may_be_quoted(shopper: Shopper, bare: str) -> None:
    """As in the IETF draft, or bare: the same key."""
    add(shopper, bare)

    assert add(shopper, f'"{bare}"').headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "key",
    ["", " ", '""', "x" * 256, "\x01", "a\tb", "\x85", "\xa0", "ä", '"', '"a', 'a"'],
    ids=ascii,
)
def test_what_cannot_be_a_key(shopper: Shopper, apple: dict[str, Any], key: str) -> None:
    """400 `invalid_header`: it is not taken for no key."""
    answer = add(shopper, key)

    assert (answer.status, answer.code) == (400, "invalid_header")
    assert shopper.get("/cart").json == apple


def test_a_long_key_is_fine(shopper: Shopper) -> None:
    """Up to 255 characters."""
    add(shopper, "x" * 255)

    assert add(shopper, "x" * 255).json["total_quantity"] == 1


def test_reading_needs_no_key(shopper: Shopper, apple: dict[str, Any]) -> None:
    """One that comes along with a GET is not looked at."""
    assert shopper.get("/cart", headers={"Idempotency-Key": ""}).json == apple
