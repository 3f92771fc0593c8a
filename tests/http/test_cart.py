"""What each route answers, to the letter."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from clients.examples import item

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
APPLE = item("apple", unit_price="0.50", subtotal="0.50", title="Apple")
BANANA = item("banana", unit_price="0.25", subtotal="0.25", title="Banana")


def timeless(answer: Answer) -> Any:
    """The cart without its id and times, which are checked for their form."""
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    cart = answer.json
    assert re.fullmatch(r"[\w-]{22}", cart.pop("cart_id"))
    assert answer.headers["etag"] == f'"{cart.pop("etag")}"'
    times = [cart.pop(name) for name in ("created_at", "updated_at", "expires_at")]
    assert times == [None] * 3 or all(TIME.fullmatch(time) for time in times)
    return cart


def test_an_empty_cart(shopper: Shopper) -> None:
    """All fields are there from the start."""
    answer = shopper.get("/cart")

    cart_id = answer.json["cart_id"]
    assert answer.json == {
        "cart_id": cart_id,
        "items": [],
        "line_count": 0,
        "total_quantity": 0,
        "subtotal": "0.00",
        "currency": "USD",
        "version": 0,
        "etag": answer.headers["etag"].strip('"'),
        "created_at": None,
        "updated_at": None,
        "expires_at": None,
        "checkout": None,
        "messages": [],
    }


def test_adding_shows_the_cart(shopper: Shopper) -> None:
    """200, and the whole cart as it is then."""
    answer = shopper.post("/cart/items", json={"sku": "apple"})

    assert timeless(answer) == {
        "items": [APPLE],
        "line_count": 1,
        "total_quantity": 1,
        "subtotal": "0.50",
        "currency": "USD",
        "version": 1,
        "checkout": None,
        "messages": [],
    }
    assert shopper.get("/cart").json == answer.json


def test_adding_accumulates(shopper: Shopper) -> None:
    """Two requests of one apple are two apples."""
    shopper.post("/cart/items", json={"sku": "apple"})

    answer = shopper.post("/cart/items", json={"sku": "apple", "quantity": 2})

    assert timeless(answer)["items"] == [{**APPLE, "quantity": 3, "subtotal": "1.50"}]


def test_times_tell_of_first_and_last_change(shopper: Shopper) -> None:
    """The cart expires a week after its last change."""
    first = shopper.post("/cart/items", json={"sku": "apple"}).json
    second = shopper.post("/cart/items", json={"sku": "apple"}).json

    updated, expires = (datetime.fromisoformat(second[n]) for n in ("updated_at", "expires_at"))
    assert second["created_at"] == first["created_at"] <= second["updated_at"]
    assert (expires - updated).total_seconds() == 604_800


def test_the_summary_has_no_lines(shopper: Shopper) -> None:
    """What a badge shows, and no more."""
    cart = shopper.post("/cart/items", json={"sku": "bread", "quantity": 3}).json

    answer = shopper.get("/cart/summary")

    assert answer.status == 200
    assert answer.json == {
        "cart_id": cart["cart_id"],
        "line_count": 1,
        "total_quantity": 3,
        "subtotal": "12.60",
        "currency": "USD",
        "version": 1,
        "etag": answer.headers["etag"].strip('"'),
    }


def test_money_is_text(shopper: Shopper) -> None:
    """No reader can make a float of it."""
    answer = shopper.post("/cart/items", json={"sku": "bread", "quantity": 3})

    assert b'"unit_price":"4.20"' in answer.body
    assert b'"subtotal":"12.60"' in answer.body


def test_items_stay_in_the_order_of_their_first_adding(shopper: Shopper) -> None:
    """Adding again or changing a quantity moves nothing; removed and added anew goes last."""
    for sku in ("bread", "apple", "tea", "bread"):
        shopper.post("/cart/items", json={"sku": sku})
    shopper.patch("/cart/items/apple", json={"quantity": 7})
    before = shopper.get("/cart").json
    shopper.delete("/cart/items/bread")

    after = shopper.post("/cart/items", json={"sku": "bread"}).json

    assert [item["sku"] for item in before["items"]] == ["bread", "apple", "tea"]
    assert [item["sku"] for item in after["items"]] == ["apple", "tea", "bread"]


def test_patch_replaces_the_quantity(shopper: Shopper, apple: dict[str, Any]) -> None:
    """It does not add."""
    answer = shopper.patch("/cart/items/apple", json={"quantity": 4})

    assert timeless(answer) == {
        "items": [{**APPLE, "quantity": 4, "subtotal": "2.00"}],
        "line_count": 1,
        "total_quantity": 4,
        "subtotal": "2.00",
        "currency": "USD",
        "version": 2,
        "checkout": None,
        "messages": [],
    }


def test_patch_to_zero_removes(shopper: Shopper, apple: dict[str, Any]) -> None:
    """No line of nothing stays."""
    shopper.post("/cart/items", json={"sku": "banana"})

    answer = shopper.patch("/cart/items/apple", json={"quantity": 0})

    assert timeless(answer)["items"] == [BANANA]


def test_delete_removes_a_line(shopper: Shopper, apple: dict[str, Any]) -> None:
    """The others stay."""
    shopper.post("/cart/items", json={"sku": "banana"})

    answer = shopper.delete("/cart/items/apple")

    assert timeless(answer) == {
        "items": [BANANA],
        "line_count": 1,
        "total_quantity": 1,
        "subtotal": "0.25",
        "currency": "USD",
        "version": 3,
        "checkout": None,
        "messages": [],
    }


@pytest.mark.parametrize(
    ("method", "options"), [("PATCH", {"json": {"quantity": 2}}), ("DELETE", {})]
)
def test_a_line_that_is_not_there(
    shopper: Shopper, apple: dict[str, Any], method: str, options: dict[str, Any]
) -> None:
    """404 `line_not_found`, and nothing changes."""
    answer = shopper.request(method, "/cart/items/banana", **options)

    assert (answer.status, answer.code) == (404, "line_not_found")
    assert shopper.get("/cart").json == apple


def test_clearing_keeps_the_cart(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Empty, under the same id, one version on."""
    answer = shopper.delete("/cart")

    assert answer.json["cart_id"] == apple["cart_id"]
    assert timeless(answer) == {
        "items": [],
        "line_count": 0,
        "total_quantity": 0,
        "subtotal": "0.00",
        "currency": "USD",
        "version": 2,
        "checkout": None,
        "messages": [],
    }


def test_clearing_what_is_empty_is_fine(shopper: Shopper) -> None:
    """200 and the empty cart, as often as one likes."""
    assert shopper.delete("/cart").json["items"] == []
    assert shopper.delete("/cart").json["items"] == []


def test_an_item_without_a_price_is_named(shopper: Shopper) -> None:
    """With the sample catalog anything can be put in; what has no price is said to have none."""
    shopper.post("/cart/items", json={"sku": "apple"})

    answer = shopper.post("/cart/items", json={"sku": "unicorn", "quantity": 2})

    assert timeless(answer) == {
        "items": [
            APPLE,
            item("unicorn", 2),
        ],
        "line_count": 2,
        "total_quantity": 3,
        "subtotal": "0.50",
        "currency": "USD",
        "version": 2,
        "checkout": None,
        "messages": [
            {
                "code": "price_missing",
                "line_id": "unicorn",
                "text": "unicorn has no price yet and does not count in the subtotal",
            }
        ],
    }


def test_options_make_lines_of_their_own(shopper: Shopper) -> None:
    """The same SKU in M and in L are two lines; the same choice again is the same line."""
    shirts = [{"size": "M", "gift": True}, {"size": "L"}, {"gift": True, "size": "M"}]
    for options in shirts:
        answer = shopper.post("/cart/items", json={"sku": "shirt", "options": options})

    items = answer.json["items"]
    assert [(item["options"], item["quantity"]) for item in items] == [
        ({"size": "M", "gift": True}, 2),
        ({"size": "L"}, 1),
    ]
    assert all(re.fullmatch(r"shirt:[a-z2-7]{16}", item["id"]) for item in items)


def test_lines_with_options_are_addressed_by_id(shopper: Shopper) -> None:
    """PATCH and DELETE reach exactly the line whose id they name."""
    for size in ("M", "L"):
        cart = shopper.post("/cart/items", json={"sku": "shirt", "options": {"size": size}}).json
    medium, large = (item["id"] for item in cart["items"])

    patched = shopper.patch(f"/cart/items/{large}", json={"quantity": 5}).json
    deleted = shopper.delete(f"/cart/items/{medium}").json

    assert [item["quantity"] for item in patched["items"]] == [1, 5]
    assert [item["id"] for item in deleted["items"]] == [large]
    assert shopper.delete("/cart/items/shirt").code == "line_not_found"


@pytest.mark.parametrize(
    "body",
    [
        {"sku": "apple", "unit_price": "0.01"},
        {"sku": "apple", "price": 1},
        {"sku": "apple", "quantity": 1, "currency": "EUR"},
        {"sku": "apple", "title": "Free"},
        {"sku": "apple", "details": {}},
    ],
)
def test_a_shopper_sets_no_price(
    shopper: Shopper, apple: dict[str, Any], body: dict[str, Any]
) -> None:
    """Price, currency and title come from the catalog; a body that brings them is refused."""
    answer = shopper.post("/cart/items", json=body)

    assert (answer.status, answer.code) == (422, "unknown_field")
    assert shopper.get("/cart").json == apple


def test_the_currency_is_the_deployments(make_shop: Callable[..., Shop]) -> None:
    """A shop in yen shows yen, which have no digits behind a point."""
    shopper = make_shop(currency="JPY").shopper()

    assert shopper.get("/cart").json["subtotal"] == "0"
    assert shopper.get("/cart").json["currency"] == "JPY"


def test_the_sample_is_priced_in_the_deployments_currency(make_shop: Callable[..., Shop]) -> None:
    """No cart is torn between the sample's currency and the shop's."""
    shopper = make_shop(currency="EUR").shopper()
    shopper.post("/cart/items", json={"sku": "unicorn"})

    answer = shopper.post("/cart/items", json={"sku": "apple"})

    assert answer.status == 200
    assert (answer.json["subtotal"], answer.json["currency"]) == ("0.50", "EUR")


HOSTILE = [
    "a/b", "a//b", "/", "//", "/cart", "summary", "..", ".", "../..", "%", "%2F", "%00", "a%20b",
    "a b", "a?b", "a#b", "a;b", "a&b=c", "a+b", "ä", "苹果", "🍎", "e\u0301", "\u202egnp", "<b>",
    "'\"", "\\", "{}", "a}b", "null", "__proto__", "x" * 128, "🍎" * 128, "*", "a:b", "\ufffd",
    "apple:szioivahal2grb6j",
]  # fmt: skip


@pytest.mark.parametrize("sku", HOSTILE, ids=ascii)
def test_every_sku_can_be_addressed(shopper: Shopper, sku: str) -> None:
    """Whatever can be put in can be changed and taken out again by its id, percent-encoded."""
    added = shopper.post("/cart/items", json={"sku": sku})
    target = "/cart/items/" + "".join(
        f"%{byte:02X}" for byte in added.json["items"][0]["id"].encode()
    )

    patched = shopper.patch(target, json={"quantity": 3})
    removed = shopper.delete(target)

    assert (added.json["items"][0]["sku"], added.json["items"][0]["quantity"]) == (sku, 1)
    assert patched.json["items"][0]["quantity"] == 3
    assert removed.json["items"] == []


def test_slashes_of_a_sku_may_stand_as_they_are(shopper: Shopper) -> None:
    """All of the path behind `/cart/items/` is the id."""
    shopper.post("/cart/items", json={"sku": "a/b//c"})

    assert shopper.patch("/cart/items/a/b//c", json={"quantity": 2}).json["total_quantity"] == 2


@pytest.mark.parametrize(
    "target",
    [
        "%00",
        "%0a",
        "a%0ab",
        "%0Aa",
        "a%20",
        "%20a",
        "x" * 129,
        "%ED%A0%80%00",
        "a" * 5000,
        "%e2%80%a8",
    ],
    ids=lambda target: target[:12],
)
@pytest.mark.parametrize(
    ("method", "options"), [("PATCH", {"json": {"quantity": 2}}), ("DELETE", {})]
)
def test_an_id_that_no_line_can_have(
    shopper: Shopper, apple: dict[str, Any], target: str, method: str, options: dict[str, Any]
) -> None:
    """It is not found, like any line that is not there."""
    answer = shopper.request(method, f"/cart/items/{target}", **options)

    assert (answer.status, answer.code) == (404, "line_not_found")
    assert shopper.get("/cart").json == apple


def test_text_comes_back_as_it_was_sent(shopper: Shopper) -> None:
    """Unicode in SKUs and options is neither changed nor escaped away."""
    text = "Grüße \u202e <script>alert(1)</script> 🍎"

    answer = shopper.post("/cart/items", json={"sku": text, "options": {text: text}})

    assert json.loads(answer.body.decode())["items"][0]["options"] == {text: text}
    assert "🍎".encode() in answer.body
