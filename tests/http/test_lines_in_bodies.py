"""`PATCH /cart/items`: a line that the body names, where a path would not come through as sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clients import Answer, Shopper

ITEMS = "/cart/items"
IDS = [
    "a/b", "a//b", "/a/", "/", "//", ".", "..", "../..", "a/../b", "./a", "%2F", "a%2Fb", "%2e%2e",
    "%", "a?b", "a#b", "a b", "a;b", "a:b", "ä", "苹果", "🍎", "e\u0301", "checkout", "x" * 128,
]  # fmt: skip


def set_to(shopper: Shopper, line_id: Any, quantity: Any, **headers: str) -> Answer:
    return shopper.patch(ITEMS, json={"line_id": line_id, "quantity": quantity}, headers=headers)


@pytest.mark.parametrize("sku", IDS, ids=ascii)
def test_every_line_can_be_named(shopper: Shopper, sku: str) -> None:
    """Whatever can be put in can be changed and taken out again by its id, just as it is shown."""
    line_id = shopper.post(ITEMS, json={"sku": sku}).json["items"][0]["id"]

    changed = set_to(shopper, line_id, 3)
    removed = set_to(shopper, line_id, 0)

    assert (changed.status, removed.status) == (200, 200)
    assert [(item["sku"], item["quantity"]) for item in changed.json["items"]] == [(sku, 3)]
    assert removed.json["items"] == []


@pytest.mark.parametrize("sku", ["shirt", "..", "a/b", "%2F"])
def test_a_line_with_options(shopper: Shopper, sku: str) -> None:
    """Its id has the digest of the options behind the SKU; the same SKU without them stays."""
    shopper.post(ITEMS, json={"sku": sku})
    added = shopper.post(ITEMS, json={"sku": sku, "options": {"size": "M/L"}})
    plain, sized = (item["id"] for item in added.json["items"])

    changed = set_to(shopper, sized, 4)

    assert (plain, sized.startswith(f"{sku}:")) == (sku, True)
    assert [item["quantity"] for item in changed.json["items"]] == [1, 4]


def test_it_answers_as_the_path_does(shopper: Shopper, apple: dict[str, Any]) -> None:
    """The same headers, and the same cart but for what every change moves on."""
    by_path = shopper.patch(f"{ITEMS}/apple", json={"quantity": 5})
    by_body = set_to(shopper, "apple", 5)

    moved = {"version", "etag", "updated_at", "expires_at"}
    assert by_body.json["version"] == by_path.json["version"] + 1
    assert {name: value for name, value in by_body.json.items() if name not in moved} == {
        name: value for name, value in by_path.json.items() if name not in moved
    }
    assert [name for name in by_body.headers if name != "etag"] == [
        name for name in by_path.headers if name != "etag"
    ]
    assert by_body.headers["etag"] == shopper.get("/cart").headers["etag"]


@pytest.mark.parametrize(
    "line_id",
    ["banana", "", "a\nb", "apple\n", " apple", "\x00", "x" * 129, "a" * 5000, "\ud800", "apple:x"],
    ids=lambda line_id: ascii(line_id)[:12],
)
def test_a_line_that_is_not_there(shopper: Shopper, apple: dict[str, Any], line_id: str) -> None:
    """404 with a pointer to the field; an id that no line can have is just not there."""
    answer = set_to(shopper, line_id, 2)

    assert (answer.status, answer.code) == (404, "line_not_found")
    assert [error["pointer"] for error in answer.json["errors"]] == ["/line_id"]
    assert shopper.get("/cart").json == apple


@pytest.mark.parametrize("line_id", [None, True, 5, 1.5, ["apple"], {"apple": 1}], ids=ascii)
def test_what_is_no_id(shopper: Shopper, apple: dict[str, Any], line_id: Any) -> None:
    """What is not text is no line's id either."""
    answer = set_to(shopper, line_id, 2)

    assert (answer.status, answer.code) == (404, "line_not_found")
    assert shopper.get("/cart").json == apple


def test_the_path_form_has_no_pointer(shopper: Shopper, apple: dict[str, Any]) -> None:
    """What a path names is no field of the body."""
    assert "errors" not in shopper.patch(f"{ITEMS}/banana", json={"quantity": 2}).json


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"", "invalid_json", None),
        (b"[]", "invalid_body", None),
        (b"{}", "missing_field", "/line_id"),
        (b'{"quantity":2}', "missing_field", "/line_id"),
        (b'{"line_id":"apple"}', "missing_field", "/quantity"),
        (b'{"line_id":"apple","quantity":2,"sku":"apple"}', "unknown_field", "/sku"),
        (b'{"line_id":"apple","quantity":true}', "invalid_quantity", "/quantity"),
        (b'{"line_id":"apple","quantity":1.5}', "invalid_quantity", "/quantity"),
        (b'{"line_id":"apple","quantity":"1"}', "invalid_quantity", "/quantity"),
        (b'{"line_id":"apple","quantity":-1}', "invalid_quantity", "/quantity"),
        (b'{"line_id":"apple","quantity":10000}', "quantity_limit_exceeded", "/quantity"),
    ],
    ids=ascii,
)
def test_bad_bodies(
    shopper: Shopper, apple: dict[str, Any], body: bytes, code: str, pointer: str | None
) -> None:
    """They are refused as anywhere, and nothing changes."""
    answer = shopper.patch(ITEMS, body=body)

    assert (answer.status, answer.code) == (400 if code == "invalid_json" else 422, code)
    assert [error["pointer"] for error in answer.json.get("errors", ())] == (
        [] if pointer is None else [pointer]
    )
    assert shopper.get("/cart").json == apple


def test_it_is_conditional(shopper: Shopper, apple: dict[str, Any]) -> None:
    """`If-Match` of a state that has passed is 412, with the cart as it is."""
    seen = shopper.get("/cart").headers["etag"]
    changed = set_to(shopper, "apple", 2, **{"If-Match": seen})

    refused = set_to(shopper, "apple", 3, **{"If-Match": seen})

    assert (changed.status, refused.status, refused.code) == (200, 412, "version_conflict")
    assert refused.json["cart"] == changed.json
    assert refused.headers["etag"] == changed.headers["etag"]


def test_it_is_idempotent(shopper: Shopper, apple: dict[str, Any]) -> None:
    """A repeat under its key changes nothing; another line or the path form is another request."""
    key = {"Idempotency-Key": "k"}
    first = set_to(shopper, "apple", 0, **key)
    shopper.post(ITEMS, json={"sku": "apple"})

    again = set_to(shopper, "apple", 0, **key)
    others = [
        set_to(shopper, "banana", 0, **key),
        set_to(shopper, "apple", 1, **key),
        shopper.patch(f"{ITEMS}/apple", json={"quantity": 0}, headers=key),
    ]

    assert (first.json["items"], again.status) == ([], 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json["total_quantity"] == 1
    assert [(other.status, other.code) for other in others] == [(422, "idempotency_key_reused")] * 3
