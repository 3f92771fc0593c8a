"""Limits: what is too large is refused, before it costs anything where that can be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clients import Shopper


def padded(length: int) -> bytes:
    body = b'{"sku":"apple"}'
    return body + b" " * (length - len(body))


def test_a_body_of_sixteen_kibibytes_is_read(shopper: Shopper) -> None:
    """The limit itself is allowed, told or not."""
    assert shopper.post("/cart/items", body=padded(16_384)).status == 200
    assert shopper.post("/cart/items", body=[padded(16_384)]).status == 200


@pytest.mark.parametrize(
    "body",
    [
        padded(16_385), [padded(16_385)], [padded(16_384), b" "], [b" "] * 16_385,
        [b" " * 4096] * 5, [b"{"] * 16_385, [padded(16_384), *[b" " * 65_536] * 16],
    ],
    ids=["told", "untold", "one more", "byte by byte", "in pages", "brackets", "a megabyte"],
)  # fmt: skip
def test_a_longer_body_is_refused(
    shopper: Shopper, apple: dict[str, Any], body: bytes | list[bytes]
) -> None:
    """413 `body_too_large`, told by Content-Length or found while reading."""
    answer = shopper.post("/cart/items", body=body)

    assert (answer.status, answer.code) == (413, "body_too_large")
    assert shopper.get("/cart").json == apple


@pytest.mark.parametrize(
    ("method", "target"),
    [("DELETE", "/cart"), ("DELETE", "/cart/items/apple"), ("PATCH", "/cart/items/apple")],
)
def test_a_long_body_is_refused_everywhere(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str
) -> None:
    """Also where no body means anything."""
    answer = shopper.request(method, target, body=padded(16_385))

    assert (answer.status, answer.code) == (413, "body_too_large")
    assert shopper.get("/cart").json == apple


def test_a_line_holds_9999(shopper: Shopper) -> None:
    """9,999 units are taken, at once or one by one; one more is refused and changes nothing."""
    full = shopper.post("/cart/items", json={"sku": "apple", "quantity": 9_999})

    answers = [
        shopper.post("/cart/items", json={"sku": "apple"}),
        shopper.post("/cart/items", json={"sku": "banana", "quantity": 10_000}),
        shopper.patch("/cart/items/apple", json={"quantity": 10_000}),
    ]

    assert full.json["total_quantity"] == 9_999
    assert [(a.status, a.code) for a in answers] == [(422, "quantity_limit_exceeded")] * 3
    assert [a.json["errors"][0]["pointer"] for a in answers] == ["/quantity"] * 3
    assert shopper.get("/cart").json == full.json


def test_a_cart_holds_500_lines(shopper: Shopper) -> None:
    """The 501st is refused; adding to one that is there is not."""
    for number in range(500):
        shopper.post("/cart/items", json={"sku": f"sku-{number}"})

    refused = shopper.post("/cart/items", json={"sku": "one more"})
    added = shopper.post("/cart/items", json={"sku": "sku-7"})

    assert (refused.status, refused.code) == (422, "line_limit_exceeded")
    assert (added.status, added.json["line_count"]) == (200, 500)


@pytest.mark.parametrize(
    "options",
    [
        {**{f"{n:x>64}": n for n in range(13)}, "most": 2**53 - 1, "least": 1 - 2**53, "no": None},
        {"first": "é" * 128, "second": "日" * 128},
    ],
    ids=["many", "long"],
)
def test_options_at_their_limits(shopper: Shopper, options: dict[str, Any]) -> None:
    """Sixteen options, names of 64 and values of 128 characters, integers below 2^53."""
    answer = shopper.post("/cart/items", json={"sku": "shirt", "options": options})

    assert answer.json["items"][0]["options"] == options


def test_a_line_of_long_options_is_refused(shopper: Shopper) -> None:
    """2,048 bytes of title, options and details together: above, nothing is changed."""
    options = {f"{n:x>64}": "x" * 128 for n in range(11)}

    refused = shopper.post("/cart/items", json={"sku": "shirt", "options": options})

    assert (refused.status, refused.code) == (422, "line_too_large")
    assert shopper.get("/cart").json["items"] == []


def test_a_cart_holds_256_kib(shopper: Shopper) -> None:
    """What adds to it is refused; it is still lowered, read, and checked out."""
    for number in range(500):
        options = dict.fromkeys("abcdefghijkl", f"{number:x>128}")
        answer = shopper.post("/cart/items", json={"sku": "shirt", "options": options})
        if answer.status != 200:
            break

    assert (answer.status, answer.code) == (422, "cart_too_large")
    cart = shopper.get("/cart").json
    assert len(cart["items"]) == number < 160
    line = cart["items"][0]["id"]
    assert shopper.patch(f"/cart/items/{line}", json={"quantity": 9}).status == 200
    assert shopper.delete(f"/cart/items/{line}").status == 200
    assert shopper.post("/cart/checkout").status == 200


def test_a_sku_at_its_limit(shopper: Shopper) -> None:
    """128 characters, not bytes."""
    sku = "🍎" * 128

    assert shopper.post("/cart/items", json={"sku": sku}).json["items"][0]["sku"] == sku


@pytest.mark.parametrize(
    "length",
    ["16385", "99999999999999999999", "9" * 5000, "0" * 30 + "16385"],
    ids=["one more", "twenty digits", "many digits", "zeros"],
)
def test_what_is_reported_counts(shopper: Shopper, length: str) -> None:
    """A body that is said to be too long is refused without being waited for."""
    answer = shopper.post("/cart/items", body=b"{}", headers={"Content-Length": length})

    assert (answer.status, answer.code) == (413, "body_too_large")


def test_many_changes_under_keys(shopper: Shopper) -> None:
    """A thousand young keys are remembered; beyond, a change with a new one is refused: 429."""
    for number in range(1000):
        headers = {"Idempotency-Key": str(number)}
        assert shopper.post("/cart/items", json={"sku": "apple"}, headers=headers).status == 200

    refused = shopper.post("/cart/items", json={"sku": "apple"}, headers={"Idempotency-Key": "x"})
    repeated = shopper.post("/cart/items", json={"sku": "apple"}, headers={"Idempotency-Key": "0"})
    unnamed = shopper.post("/cart/items", json={"sku": "apple"})

    assert (refused.status, refused.code) == (429, "too_many_operations")
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
    assert repeated.headers["idempotency-replayed"] == "true"
    assert unnamed.json["total_quantity"] == 1001


def test_the_largest_cart_is_readable(shopper: Shopper) -> None:
    """Amounts stay exact up to the limits."""
    for sku in ("coffee", "olive-oil"):
        shopper.post("/cart/items", json={"sku": sku, "quantity": 9_999})

    assert json.loads(shopper.get("/cart").body)["subtotal"] == "213478.65"
