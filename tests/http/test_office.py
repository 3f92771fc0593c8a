"""The back office: what the shop's own servers do to any cart, with a key and without a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from clients import TWO, Shopper
from clients.examples import BEGIN_CHECKOUT, CHANGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop
    from engines import Engine

KEY = "a-key-of-the-back-office"
OLD_KEY = "the-key-before-this-one"


@dataclass
class Office(Shopper):
    """A server of the shop, which has a key. No answer to it touches a session."""

    def request(self, method: str, target: str, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {KEY}", **(options.pop("headers", None) or {})}
        answer = super().request(method, target, headers=headers, **options)
        assert answer.set_cookies == ()
        assert ("cart-token" in answer.headers) is (
            target.endswith("/session") and answer.status == 200
        )
        assert answer.status < 500
        return answer

    def merge(self, target: str, source: str, **body: str) -> Answer:
        return self.post(f"/carts/{target}/merge", json={"source": source, **body})

    def complete(self, held: Answer, order_id: str = "order-1") -> Answer:
        return self.post(f"{path_of(held)}/complete", json={"order_id": order_id})

    def release(self, held: Answer) -> Answer:
        return self.post(f"{path_of(held)}/release")


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop(office_keys=(KEY, OLD_KEY))


@pytest.fixture
def office(shop: Shop) -> Office:
    return Office(shop)


@pytest.fixture
def held(shopper: Shopper, apple: dict[str, Any]) -> Answer:
    """A check-out of `shopper`, of one apple."""
    return shopper.post("/cart/checkout")


def path_of(held: Answer) -> str:
    return f"/carts/{held.json['cart']['cart_id']}/checkout/{held.json['checkout_id']}"


def units(answer: Answer) -> dict[str, int]:
    cart = answer.json.get("cart", answer.json)
    return {item["id"]: item["quantity"] for item in cart["items"]}


def pointers(answer: Answer) -> list[str]:
    return [error["pointer"] for error in answer.json.get("errors", ())]


def routes_of(cart_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Every back-office request to a cart."""
    path = f"/carts/{cart_id}"
    return [
        ("GET", path, {}),
        ("HEAD", path, {}),
        ("DELETE", path, {}),
        ("POST", f"{path}/merge", {"json": {"source": "visitor"}}),
        ("POST", f"{path}/checkout/c1/complete", {"json": {"order_id": "order-1"}}),
        ("POST", f"{path}/checkout/c1/release", {}),
    ]


EVERY_ROUTE = range(len(routes_of("x")))


# Who is let in.


@pytest.mark.parametrize("number", EVERY_ROUTE)
def test_without_a_key_it_is_not_there(make_shop: Callable[..., Shop], number: int) -> None:
    """404 on every route, whatever key one brings."""
    shop = make_shop()
    cart = shop.shopper().post("/cart/items", json={"sku": "apple"}).json
    method, target, options = routes_of(cart["cart_id"])[number]

    for key in (KEY, ""):
        answer = shop.shopper().request(
            method, target, headers={"Authorization": f"Bearer {key}"}, **options
        )
        assert answer.status == 404
        assert cart["cart_id"].encode() not in answer.body


NO_KEY = [
    None, "", " ", "Bearer", "Bearer ", "bearer", KEY, f"Basic {KEY}", f"Bearer{KEY}",
    f"Bearer {KEY[:-1]}", f"Bearer {KEY}x", f"Bearer x{KEY}", f"Bearer {KEY.upper()}",
    f"Bearer {KEY},{OLD_KEY}", f"Bearer {KEY} {KEY}", f'Bearer "{KEY}"', f"Token {KEY}",
    "Bearer \xe4\xff", "Bearer " + "x" * 3000, "Bearer null",
]  # fmt: skip


@pytest.mark.parametrize("authorization", NO_KEY, ids=lambda value: ascii(value)[:40])
def test_without_the_key(
    shop: Shop, shopper: Shopper, apple: dict[str, Any], authorization: str | None
) -> None:
    """401 with `WWW-Authenticate`, the same for a cart that is there and for one that is not."""
    there, absent = (
        [
            shop.shopper().request(
                method, target, headers={"Authorization": authorization}, **options
            )
            for method, target, options in routes_of(cart_id)
        ]
        for cart_id in (apple["cart_id"], "nobody")
    )

    assert there == absent
    for answer in there:
        assert (answer.status, answer.set_cookies) == (401, ())
        assert answer.headers["www-authenticate"] == "Bearer"
    assert there[0].json == {
        "type": "urn:ecart:error:unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "code": "unauthorized",
        "detail": "this wants Authorization: Bearer <key>",
    }
    assert shopper.get("/cart").json == apple


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {KEY}", f"Bearer {OLD_KEY}", f"bearer {KEY}", f"BEARER  {KEY}", f"Bearer {KEY} "],
)
def test_with_a_key(shop: Shop, apple: dict[str, Any], authorization: str) -> None:
    """Any of the keys, the scheme in any case (RFC 9110 §11.1)."""
    headers = {"Authorization": authorization}

    assert shop.shopper().get(f"/carts/{apple['cart_id']}", headers=headers).status == 200


@pytest.mark.parametrize("keys", [("short",), (KEY, ""), KEY, ("x" * 15,)], ids=str)
def test_keys_that_can_be_guessed(make_shop: Callable[..., Shop], keys: Any) -> None:
    """Nothing starts with one, nor with a text where a list is wanted: its letters are no keys."""
    with pytest.raises(ValueError, match="16 characters"):
        make_shop(office_keys=keys)


def test_a_key_is_no_session(office: Office, shopper: Shopper, apple: dict[str, Any]) -> None:
    """The office's cookie-less request to a shopper's route is that of a new visitor."""
    answer = Shopper(office.shop).get("/cart", headers={"Authorization": f"Bearer {KEY}"})

    assert answer.json["cart_id"] != apple["cart_id"]


def test_a_session_stays_what_it_is(
    office: Office, shopper: Shopper, apple: dict[str, Any]
) -> None:
    """Where a browser has both, the office's routes look at the path alone."""
    cookie = "; ".join(f"{name}={value}" for name, value in shopper.cookies.items())

    answer = office.get("/carts/nobody", headers={"Cookie": cookie, "Cart-Token": "new"})

    assert answer.code == "cart_not_found"


@pytest.mark.parametrize("number", EVERY_ROUTE[2:])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_no_page_of_another_site(
    office: Office, apple: dict[str, Any], number: int, headers: dict[str, str]
) -> None:
    """403: a key in a browser is no licence for others."""
    method, target, options = routes_of(apple["cart_id"])[number]

    answer = office.request(method, target, headers=headers, **options)

    assert (answer.status, answer.code) == (403, "cross_site_request")


# Looking and erasing.


def test_showing_a_cart(office: Office, shopper: Shopper, apple: dict[str, Any]) -> None:
    """As its shopper sees it, tag included."""
    mine = shopper.get("/cart")

    answer = office.get(f"/carts/{apple['cart_id']}")
    head = office.request("HEAD", f"/carts/{apple['cart_id']}")

    assert (answer.status, answer.json) == (200, apple)
    assert answer.headers["etag"] == mine.headers["etag"]
    assert (head.status, head.headers, head.body) == (200, answer.headers, b"")


def test_a_cart_that_is_not_there(office: Office, engine: Engine) -> None:
    """404 `cart_not_found`; looking writes nothing."""
    answer = office.get("/carts/nobody")

    assert (answer.status, answer.code) == (404, "cart_not_found")
    with engine.connected() as client:
        assert client.keys("*") == []


def test_erasing(office: Office, shopper: Shopper, held: Answer, engine: Engine) -> None:
    """204, also if a check-out holds it, and again when it is gone; no key is left."""
    target = f"/carts/{held.json['cart']['cart_id']}"

    first, again = office.delete(target), office.delete(target)

    assert (first.status, first.body, again.status) == (204, b"", 204)
    assert "content-length" not in first.headers
    with engine.connected() as client:
        assert client.keys("*") == []
    assert shopper.get("/cart").json["items"] == []
    assert shopper.post("/cart/items", json={"sku": "tea"}).json["version"] == 1


# Merging.


@pytest.fixture
def visitor(shopper: Shopper) -> str:
    """The id of the cart of `shopper`: three apples and a tea."""
    shopper.post("/cart/items", json={"sku": "apple", "quantity": 3})
    cart_id: str = shopper.post("/cart/items", json={"sku": "tea"}).json["cart_id"]
    return cart_id


@pytest.fixture
def user(shopper: Shopper) -> Shopper:
    """Another shopper, with two apples and a bread."""
    other = shopper.fresh()
    other.post("/cart/items", json={"sku": "apple", "quantity": 2})
    other.post("/cart/items", json={"sku": "bread"})
    return other


def id_of(shopper: Shopper) -> str:
    cart_id: str = shopper.get("/cart").json["cart_id"]
    return cart_id


def test_a_visitors_cart_moves_into_a_users(
    office: Office, shopper: Shopper, user: Shopper, visitor: str
) -> None:
    """200, what was done in lines, and the cart as its owner sees it from now on."""
    answer = office.merge(id_of(user), visitor)

    mine = user.get("/cart")
    assert (answer.status, answer.headers["etag"]) == (200, mine.headers["etag"])
    assert answer.json == {
        "added": 1,
        "raised": 1,
        "clamped": 0,
        "left": 0,
        "replayed": False,
        "cart": mine.json,
    }
    assert units(mine) == {"apple": 5, "bread": 1, "tea": 1}
    assert mine.json["subtotal"] == "11.55"
    assert shopper.get("/cart").json["items"] == []


@pytest.mark.parametrize(
    ("policy", "apples", "counts"),
    [
        ("sum", 5, (1, 1, 0, 0)),
        ("max", 3, (1, 1, 0, 0)),
        ("keep_target", 2, (1, 0, 0, 1)),
        ("replace", 3, (1, 1, 0, 0)),
    ],
)
def test_policies(
    office: Office, user: Shopper, visitor: str, policy: str, apples: int, counts: tuple[int, ...]
) -> None:
    """What becomes of a line that both have."""
    answer = office.merge(id_of(user), visitor, policy=policy)

    assert units(answer) == {"apple": apples, "bread": 1, "tea": 1}
    assert tuple(answer.json[name] for name in ("added", "raised", "clamped", "left")) == counts


def test_merging_again(office: Office, user: Shopper, visitor: str) -> None:
    """It has been done, and is told again; nothing moves twice."""
    first = office.merge(id_of(user), visitor)
    user.delete("/cart/items/tea")

    again = office.merge(id_of(user), visitor)

    assert (first.json["replayed"], again.json["replayed"]) == (False, True)
    assert again.json["added"] == 1
    assert units(again) == {"apple": 5, "bread": 1}


def test_merging_into_a_cart_that_is_not_there_yet(office: Office, visitor: str) -> None:
    """A user's first log-in makes the user's cart."""
    answer = office.merge("user-42", visitor)

    assert (answer.status, answer.json["cart"]["cart_id"]) == (200, "user-42")
    assert units(answer) == units(office.get("/carts/user-42")) == {"apple": 3, "tea": 1}


@pytest.mark.parametrize("target", ["user-42", None])
def test_nothing_comes_of_nothing(
    office: Office, user: Shopper, engine: Engine, target: str | None
) -> None:
    """A visitor who has no cart: 200, all counts 0, and nothing is written."""
    before = user.get("/cart")
    with engine.connected() as client:
        keys = client.keys("*")

        answer = office.merge(target or id_of(user), "nobody")

        assert client.keys("*") == keys
    assert answer.status == 200
    assert [answer.json[name] for name in ("added", "raised", "clamped", "left")] == [0] * 4
    assert target or answer.json["cart"] == before.json


def test_merging_a_cart_into_itself(office: Office, user: Shopper) -> None:
    """Nothing changes."""
    before = user.get("/cart")

    assert office.merge(id_of(user), id_of(user)).json["cart"] == before.json
    assert user.get("/cart").json == before.json


@pytest.mark.parametrize(("method", "target", "options"), [*CHANGES, BEGIN_CHECKOUT])
def test_a_merged_visitor_learns_nothing_of_the_user(
    office: Office,
    shopper: Shopper,
    visitor: str,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """The old session's changes are 409 `cart_merged`, without the id of the user's cart."""
    office.merge("user-42", visitor)

    answer = shopper.request(method, target, **options)

    assert (answer.status, answer.code) == (409, "cart_merged")
    assert b"user-42" not in answer.body
    assert not any("user-42" in value for value in answer.headers.values())
    assert b"user-42" not in shopper.get("/cart").body
    assert units(office.get("/carts/user-42")) == {"apple": 3, "tea": 1}


def test_a_merged_cart_is_not_found(office: Office, visitor: str) -> None:
    """It has ended; a third cart gets nothing of it."""
    office.merge("user-42", visitor)

    shown, third = office.get(f"/carts/{visitor}"), office.merge("user-43", visitor)

    assert (shown.status, shown.code) == (404, "cart_not_found")
    assert (third.status, third.code) == (409, "cart_merged")
    assert office.get("/carts/user-43").status == 404


@pytest.mark.parametrize("who", ["visitor", "user"])
def test_a_held_cart_is_not_merged(
    office: Office, shopper: Shopper, user: Shopper, visitor: str, who: str
) -> None:
    """409 `cart_locked`, and nothing has moved."""
    {"visitor": shopper, "user": user}[who].post("/cart/checkout")
    before = [shopper.get("/cart").json["items"], user.get("/cart").json["items"]]

    answer = office.merge(id_of(user), visitor)

    assert (answer.status, answer.code) == (409, "cart_locked")
    assert [shopper.get("/cart").json["items"], user.get("/cart").json["items"]] == before


def test_currencies_are_not_mixed(
    make_shop: Callable[..., Shop], office: Office, shopper: Shopper, visitor: str
) -> None:
    """409 `currency_mismatch`; the visitor's cart goes on as before."""
    other = make_shop(currency="EUR").shopper()
    other.post("/cart/items", json={"sku": "apple"})

    answer = office.merge(id_of(other), visitor)

    assert (answer.status, answer.code) == (409, "currency_mismatch")
    assert units(shopper.post("/cart/items", json={"sku": "tea"})) == {"apple": 3, "tea": 2}
    assert units(other.get("/cart")) == {"apple": 1}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "missing_field", "/source"),
        ({"policy": "sum"}, "missing_field", "/source"),
        ({"source": "x", "target": "y"}, "unknown_field", "/target"),
        ({"source": ""}, "invalid_cart_id", "/source"),
        ({"source": "x" * 257}, "invalid_cart_id", "/source"),
        ({"source": "\ud800"}, "invalid_cart_id", "/source"),
        ({"source": None}, "invalid_cart_id", "/source"),
        ({"source": 7}, "invalid_cart_id", "/source"),
        ({"source": True}, "invalid_cart_id", "/source"),
        ({"source": ["x"]}, "invalid_cart_id", "/source"),
        ({"source": {}}, "invalid_cart_id", "/source"),
        ({"source": "visitor", "policy": "SUM"}, "invalid_policy", "/policy"),
        ({"source": "visitor", "policy": ""}, "invalid_policy", "/policy"),
        ({"source": "visitor", "policy": None}, "invalid_policy", "/policy"),
        ({"source": "visitor", "policy": 1}, "invalid_policy", "/policy"),
        ({"source": "visitor", "policy": ["sum"]}, "invalid_policy", "/policy"),
        ({"source": "user-42", "policy": "none"}, "invalid_policy", "/policy"),
        ([], "invalid_body", None),
    ],
    ids=str,
)
def test_what_cannot_be_merged(
    office: Office, visitor: str, body: Any, code: str, pointer: str | None
) -> None:
    """422, with the field that is wrong; nothing has moved."""
    before = office.get(f"/carts/{visitor}").json

    answer = office.post("/carts/user-42/merge", json=body)

    assert (answer.status, answer.code) == (422, code)
    assert pointers(answer) == ([pointer] if pointer else [])
    assert office.get(f"/carts/{visitor}").json == before


# Ending a check-out.


def test_completing(office: Office, shopper: Shopper, held: Answer) -> None:
    """200 and the cart without what was ordered."""
    answer = office.complete(held)

    mine = shopper.get("/cart")
    assert (answer.status, answer.json) == (200, mine.json)
    assert answer.headers["etag"] == mine.headers["etag"]
    assert "idempotency-replayed" not in answer.headers
    assert mine.json == {
        **held.json["cart"],
        "items": [],
        "line_count": 0,
        "total_quantity": 0,
        "subtotal": "0.00",
        "version": 3,
        "etag": mine.json["etag"],
        "checkout": None,
        "updated_at": mine.json["updated_at"],
        "expires_at": mine.json["expires_at"],
    }


def test_completing_again(office: Office, shopper: Shopper, held: Answer) -> None:
    """Under the same order it has been done; what came since stays."""
    office.complete(held)
    since = shopper.post("/cart/items", json={"sku": "tea"})

    again = office.complete(held)

    assert (again.status, again.json) == (200, since.json)
    assert again.headers["idempotency-replayed"] == "true"


def test_one_check_out_is_one_order(office: Office, shopper: Shopper, held: Answer) -> None:
    """Another order under it is 422, and nothing changes."""
    office.complete(held, "order-1")
    since = shopper.post("/cart/items", json={"sku": "tea"})

    answer = office.complete(held, "order-2")

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert shopper.get("/cart").json == since.json


def test_releasing(office: Office, shopper: Shopper, held: Answer) -> None:
    """The cart is open as it was; a repeat changes nothing, not even the next check-out."""
    answer = office.release(held)
    assert (answer.status, answer.json) == (200, shopper.get("/cart").json)
    assert (units(answer), answer.json["checkout"]) == ({"apple": 1}, None)

    following = shopper.post("/cart/checkout")
    again = office.release(held)

    assert again.headers["idempotency-replayed"] == "true"
    assert shopper.get("/cart").json == following.json["cart"]


def test_what_was_released_is_not_completed(office: Office, shopper: Shopper, held: Answer) -> None:
    """409 `checkout_not_open`, and the other way round."""
    office.release(held)
    refused = office.complete(held)
    assert (refused.status, refused.code) == (409, "checkout_not_open")

    second = shopper.post("/cart/checkout")
    office.complete(second)
    refused = office.release(second)
    assert (refused.status, refused.code) == (409, "checkout_not_open")


def test_what_the_shopper_released(office: Office, shopper: Shopper, held: Answer) -> None:
    """Is not ordered; releasing it once more is fine."""
    shopper.delete("/cart/checkout")

    assert office.complete(held).code == "checkout_not_open"
    assert office.release(held).headers["idempotency-replayed"] == "true"
    assert shopper.get("/cart").json["total_quantity"] == 1


@pytest.mark.parametrize("end", ["complete", "release"])
def test_no_cart_no_check_out(office: Office, held: Answer, end: str) -> None:
    """404 for a cart that is not there, 409 for a check-out that does not hold one that is."""
    body = {"complete": {"order_id": "o"}, "release": {}}[end]
    cart_id, checkout_id = held.json["cart"]["cart_id"], held.json["checkout_id"]

    nobody = office.post(f"/carts/nobody/checkout/{checkout_id}/{end}", json=body)
    other = office.post(f"/carts/{cart_id}/checkout/{checkout_id}x/{end}", json=body)

    assert (nobody.status, nobody.code) == (404, "cart_not_found")
    assert (other.status, other.code) == (409, "checkout_not_open")
    assert office.get(f"/carts/{cart_id}").json == held.json["cart"]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "missing_field", "/order_id"),
        ({"order_id": "o", "paid": True}, "unknown_field", "/paid"),
        ({"order_id": ""}, "invalid_operation_id", "/order_id"),
        ({"order_id": "x" * 256}, "invalid_operation_id", "/order_id"),
        ({"order_id": "a\nb"}, "invalid_operation_id", "/order_id"),
        ({"order_id": "~mine"}, "invalid_operation_id", "/order_id"),
        ({"order_id": "\ud800"}, "invalid_operation_id", "/order_id"),
        ({"order_id": None}, "invalid_operation_id", "/order_id"),
        ({"order_id": 1093}, "invalid_operation_id", "/order_id"),
        ({"order_id": ["o"]}, "invalid_operation_id", "/order_id"),
        ([], "invalid_body", None),
    ],
    ids=str,
)
def test_what_is_no_order(
    office: Office, shopper: Shopper, held: Answer, body: Any, code: str, pointer: str | None
) -> None:
    """422, with the field that is wrong; the cart is still held."""
    answer = office.post(f"{path_of(held)}/complete", json=body)

    assert (answer.status, answer.code) == (422, code)
    assert pointers(answer) == ([pointer] if pointer else [])
    assert shopper.get("/cart").json == held.json["cart"]


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"body": b'{"x":'}, 400, "invalid_json"),
        ({"body": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"body": b"{}", "headers": {"Content-Type": None}}, 415, "unsupported_media_type"),
        ({"body": b"x" * 20_000}, 413, "body_too_large"),
        ({"json": {}, "headers": {"Accept": "text/html"}}, 406, "not_acceptable"),
    ],
)
@pytest.mark.parametrize("end", ["complete", "release", "merge"])
def test_bodies_that_are_not_read(
    office: Office,
    shopper: Shopper,
    held: Answer,
    end: str,
    options: dict[str, Any],
    status: int,
    code: str,
) -> None:
    """As on every other route; the cart is still held."""
    path = f"/carts/{held.json['cart']['cart_id']}/merge" if end == "merge" else path_of(held)

    answer = office.post(path if end == "merge" else f"{path}/{end}", **options)

    assert (answer.status, answer.code) == (status, code)
    assert shopper.get("/cart").json == held.json["cart"]


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_there_is_nothing_to_say_about_a_release(office: Office, held: Answer, body: bytes) -> None:
    """No body, or an empty object."""
    assert office.post(f"{path_of(held)}/release", body=body).status == 200


# Ids and methods.


HOSTILE = [
    "a/b", "a//b", "/", "//", "..", "../..", ".", "%2F", "a%2Fb", "%2e%2e%2f", "%00", "%0a",
    "a%0d%0ab", "%ff", "%C3", "%ED%A0%80", "x" * 257, "x" * 300, "%F0%9F%8D%8E" * 257, "%20",
    "a%20b", "*", "{417}", "%7Bcart_id%7D", "merge", "x/merge", "checkout", "a/checkout/b",
    "a/checkout/b/complete", "a;b", "?", "a?b=c", "%25", "%25%30%30", "ecart:%7B1%7D:cart:x",
    "%e2%80%ae", "__proto__", "0", "-", "%5C", "%22", "<b>",
]  # fmt: skip


@pytest.mark.parametrize("cart_id", HOSTILE, ids=lambda text: text[:20])
@pytest.mark.parametrize("shop_class", TWO, indirect=True)
def test_an_id_that_no_cart_has(
    office: Office, apple: dict[str, Any], engine: Engine, cart_id: str
) -> None:
    """Never an error of ours, never another cart, and nothing is written."""
    requests = [one for one in routes_of(cart_id) if one[2] != {"json": {"source": "visitor"}}]
    statuses = {
        method: office.request(method, target, **options).status
        for method, target, options in requests
    }

    assert statuses["GET"] == 404
    assert statuses["DELETE"] in (204, 404)
    assert statuses["POST"] in (404, 405, 409)
    with engine.connected() as client:
        assert len(client.keys("*:cart:*")) == 1
    assert office.get(f"/carts/{apple['cart_id']}").json == apple


@pytest.mark.parametrize(
    "cart_id",
    [
        "a/b", "a//b", "/a", "a/", "a b", "x/merge", "a/checkout/b", "ä", "苹果", "🍎", "%", "%2F",
        "\n", "\0", "a?b", "a#b", ".", "..", "x" * 256, "{1}", "\u202e", "a\\b", '"',
    ],
    ids=lambda text: ascii(text)[:20],
)  # fmt: skip
@pytest.mark.parametrize("shop_class", TWO, indirect=True)
def test_every_id_can_be_addressed(office: Office, visitor: str, cart_id: str) -> None:
    """Percent-encoded; the cart that the merge made is found, and erased, under it."""
    target = "".join(f"%{byte:02X}" for byte in cart_id.encode())

    merged = office.merge(target, visitor)

    assert (merged.status, merged.json["cart"]["cart_id"]) == (200, cart_id)
    assert office.get(f"/carts/{target}").json == merged.json["cart"]
    assert office.delete(f"/carts/{target}").status == 204
    assert office.get(f"/carts/{target}").status == 404


def test_slashes_of_an_id_may_stand_as_they_are(office: Office, visitor: str) -> None:
    """All of the path before the rest of the route is the id."""
    office.merge("tenant/7//user", visitor)

    assert units(office.get("/carts/tenant/7//user")) == {"apple": 3, "tea": 1}
    assert office.merge("tenant/merge", "tenant/7//user").json["cart"]["cart_id"] == "tenant/merge"


@pytest.mark.parametrize(
    "checkout_id",
    [
        "%00", "%ff", "a%20b", "..", "%2e%2e", "x" * 65, "x" * 300, "%F0%9F%8D%8E", "a%0ab", "a|b",
        "none",
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
@pytest.mark.parametrize("end", ["complete", "release"])
def test_an_id_that_no_check_out_has(
    office: Office, shopper: Shopper, held: Answer, checkout_id: str, end: str
) -> None:
    """409 `checkout_not_open`, as any that does not hold the cart; 404 where there is none."""
    body = {"complete": {"order_id": "o"}, "release": {}}[end]
    cart_id = held.json["cart"]["cart_id"]

    answer = office.post(f"/carts/{cart_id}/checkout/{checkout_id}/{end}", json=body)
    nobody = office.post(f"/carts/nobody/checkout/{checkout_id}/{end}", json=body)

    assert (answer.status, answer.code) == (409, "checkout_not_open")
    assert (nobody.status, nobody.code) == (404, "cart_not_found")
    assert shopper.get("/cart").json == held.json["cart"]


ALLOWED = {
    "/carts/x": "DELETE, GET, HEAD, OPTIONS",
    "/carts/x/merge": "DELETE, GET, HEAD, OPTIONS, POST",
    "/carts/x/checkout/c/complete": "DELETE, GET, HEAD, OPTIONS, POST",
    "/carts/x/checkout/c/release": "DELETE, GET, HEAD, OPTIONS, POST",
}


@pytest.mark.parametrize("target", ALLOWED)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "BREW", "OPTIONS"])
def test_what_can_be_done(office: Office, method: str, target: str) -> None:
    """OPTIONS tells, any other method is 405. What follows `/carts/` may also be an id."""
    answer = office.request(method, target)

    assert answer.status == (204 if method == "OPTIONS" else 405)
    if method == "BREW" and not office.shop.takes_any_method:
        return
    assert answer.headers["allow"] == ALLOWED[target]
    if method != "OPTIONS":
        assert answer.code == "method_not_allowed"


@pytest.mark.parametrize("number", EVERY_ROUTE)
def test_every_answer_is_guarded(office: Office, apple: dict[str, Any], number: int) -> None:
    """No answer is cached, sniffed, or told to other sites, with the key and without."""
    method, target, options = routes_of(apple["cart_id"])[number]
    for headers in ({}, {"Authorization": None}):
        answer = office.request(method, target, headers=headers, **options)

        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_a_key_with_letters_beyond_ascii(make_shop: Callable[..., Shop], coding: str) -> None:
    """curl sends them as UTF-8, `requests` as Latin-1."""
    key = "schlüssel für das büro"
    shopper = make_shop(office_keys=(key,)).shopper()
    sent = key.encode(coding).decode("latin-1")

    answers = [
        shopper.get("/carts/c", headers={"authorization": f"Bearer {given}"}).status
        for given in (sent, sent[:-1], key.replace("ü", "?"))
    ]

    assert answers == [404, 401, 401]
