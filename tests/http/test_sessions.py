"""The session is the only key to a cart: it lasts, is nobody else's, and reading costs nothing."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from clients import SERVICE, Sent, Setup
from clients.asgi import ask
from clients.examples import CHANGES, READS, Example
from ecart.http import Session
from ecart.tokens import SignedTokens
from faults.soak import rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Shop, Shopper
    from engines import Engine

ROUTES = [*READS, Example("HEAD", "/cart", {}), *CHANGES]

SESSION_READS = rounds(default=10_000, soak=100_000)

each_route = pytest.mark.parametrize(
    ("method", "target", "options"),
    ROUTES,
    ids=[f"{method} {target}" for method, target, _ in ROUTES],
)


def send(
    shopper: Shopper, method: str, target: str, options: dict[str, Any], **headers: str
) -> Any:
    return shopper.request(method, target, headers=headers, **options)


def keys(engine: Engine) -> list[bytes]:
    with engine.connected() as client:
        found: list[bytes] = client.keys("*")
    return found


def test_cart_session_persists_items_and_id(client: Shopper) -> None:
    """What the first program against the service does, as its user would write it."""
    r1 = client.post("/cart/items", json={"sku": "apple"})
    assert r1.status == 200
    cart_id_1 = r1.json["cart_id"]
    r2 = client.post("/cart/items", json={"sku": "banana"})
    assert r2.status == 200
    assert cart_id_1 == r2.json["cart_id"]
    r3 = client.get("/cart")
    assert r3.status == 200
    assert {item["sku"] for item in r3.json["items"]} == {"apple", "banana"}


def test_a_fresh_session_gets_a_cart_and_no_key(shopper: Shopper, engine: Engine) -> None:
    """The first look makes the session, but nothing in the store."""
    answer = shopper.get("/cart")

    assert answer.status == 200
    assert re.fullmatch(r"[\w-]{22}", answer.json["cart_id"])
    assert answer.json["items"] == []
    assert shopper.shop.cookie in shopper.cookies
    assert keys(engine) == []


def test_a_session_keeps_its_cart_from_the_first_look_on(shopper: Shopper) -> None:
    """The id that an empty cart showed is the one that is filled."""
    shown = shopper.get("/cart").json["cart_id"]

    assert shopper.get("/cart/summary").json["cart_id"] == shown
    assert shopper.post("/cart/items", json={"sku": "apple"}).json["cart_id"] == shown
    assert shopper.delete("/cart").json["cart_id"] == shown


def test_a_kept_session_is_not_sent_again(shopper: Shopper) -> None:
    """The cookie comes once, with the answer that began the session."""
    first = shopper.get("/cart")

    second = shopper.post("/cart/items", json={"sku": "apple"})

    assert len(first.set_cookies) == 1
    assert second.set_cookies == ()


def test_a_refused_first_request_begins_no_session(shopper: Shopper) -> None:
    """A mistake leaves nothing behind in the client."""
    assert shopper.get("/cart/nothing").set_cookies == ()
    assert shopper.post("/cart/items", json={"sku": ""}).set_cookies == ()


def test_the_cookie_is_out_of_reach_of_scripts(shopper: Shopper) -> None:
    """HttpOnly, for the whole site."""
    (cookie,) = shopper.get("/cart").set_cookies

    attributes = cookie.split("; ")[1:]

    assert {"HttpOnly", "Path=/"} <= set(attributes)
    assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.parametrize("shop_class", [SERVICE], indirect=True)
def test_the_cookie_of_the_service(shop: Shop) -> None:
    """`ecart` over http; over https `__Host-ecart`, which no other host can set, and Secure."""
    (plain,) = shop.shopper().get("/cart").set_cookies
    (secure,) = shop.shopper(scheme="https").get("/cart").set_cookies

    token = r"[\w-]{22}\.\.\d{10}\.[\w-]{43}"
    rest = "; Max-Age=31536000; HttpOnly; SameSite=Lax; Path=/"
    assert re.fullmatch(f"ecart={token}{rest}", plain)
    assert re.fullmatch(f"__Host-ecart={token}{rest}; Secure", secure)


def test_a_session_lasts_over_https_too(shop: Shop) -> None:
    """The cookie that https sets is the one that https reads."""
    shopper = shop.shopper(scheme="https")

    first = shopper.post("/cart/items", json={"sku": "apple"}).json

    assert shopper.get("/cart").json == first


@pytest.mark.parametrize(
    "forge",
    [
        lambda value, cart_id: cart_id,
        lambda value, cart_id: "",
        lambda value, cart_id: value[:-1],
        lambda value, cart_id: value[1:],
        lambda value, cart_id: value + "x",
        lambda value, cart_id: value.rpartition(".")[0],
        lambda value, cart_id: value.rpartition(".")[0] + ".",
        lambda value, cart_id: swapped_first(value),
        lambda value, cart_id: "." * 40,
        lambda value, cart_id: "\x7f\xff",
        lambda value, cart_id: "%00",
        lambda value, cart_id: "x" * 6000,
        lambda value, cart_id: value[:-43] + guessed(cart_id)[-43:],
        lambda value, cart_id: guessed(cart_id),
    ],
    ids=[
        "the bare id", "empty", "one less at the end", "one less in front", "one more", "unsigned",
        "an empty signature", "another id", "dots", "not ASCII", "NUL", "6 kB", "guessed signature",
        "guessed secret",
    ],
)  # fmt: skip
def test_a_forged_cookie_is_no_session(
    shopper: Shopper, apple: dict[str, Any], forge: Callable[[str, str], str]
) -> None:
    """Whatever is not signed here opens no cart; it begins a new session instead."""
    name = shopper.shop.cookie
    real = shopper.cookies[name]
    forger = shopper.fresh()
    forger.cookies[name] = forge(real, apple["cart_id"])

    answer = forger.get("/cart")

    assert answer.status == 200
    assert answer.json["cart_id"] != apple["cart_id"]
    assert answer.json["items"] == []
    assert len(answer.set_cookies) == 1
    assert shopper.get("/cart").json == apple


def guessed(cart_id: str) -> str:
    return SignedTokens(["guessed"]).sign(Session(cart_id))


def swapped_first(value: str) -> str:
    return ("B" if value[0] == "A" else "A") + value[1:]


@each_route
def test_a_forged_cookie_changes_nothing(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """On no route does an edited cookie reach the cart it names."""
    name = shopper.shop.cookie
    forger = shopper.fresh()
    forger.cookies[name] = shopper.cookies[name][:-2]

    answer = send(forger, method, target, options)

    assert apple["cart_id"].encode() not in answer.body
    assert shopper.get("/cart").json == apple


@each_route
def test_another_deployments_cookie_is_no_session(
    make_shop: Callable[..., Shop], method: str, target: str, options: dict[str, Any]
) -> None:
    """Two shops on one store with different secrets do not accept each other's sessions."""
    here, there = make_shop(secrets=("s" * 20,)).shopper(), make_shop(secrets=("t" * 20,)).shopper()
    cart = here.post("/cart/items", json={"sku": "apple"}).json
    there.cookies |= here.cookies

    answer = send(there, method, target, options)

    assert cart["cart_id"].encode() not in answer.body
    assert here.get("/cart").json == cart


@each_route
def test_two_shoppers_never_meet(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """What one does, on any route, neither shows nor changes the other's cart."""
    other = shopper.fresh()
    other.post("/cart/items", json={"sku": "apple", "quantity": 5})

    answer = send(other, method, target, options)

    assert answer.status == 200
    assert apple["cart_id"].encode() not in answer.body
    assert shopper.get("/cart").json == apple


@each_route
def test_a_cart_id_opens_nothing(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """The id that a cart shows is no key to it: not in a query, a header, nor a bearer token."""
    stranger, cart_id = shopper.fresh(), apple["cart_id"]
    stranger.cookies["cart_id"] = cart_id

    answer = send(
        stranger,
        method,
        f"{target}?cart_id={cart_id}",
        options,
        **{"x-cart-id": cart_id, "authorization": f"Bearer {cart_id}", "cart-token": cart_id},
    )

    assert cart_id.encode() not in answer.body
    assert shopper.get("/cart").json == apple


def test_a_cart_id_in_a_body_is_refused(shopper: Shopper, apple: dict[str, Any]) -> None:
    """No body chooses the cart."""
    stranger = shopper.fresh()

    answer = stranger.post("/cart/items", json={"sku": "banana", "cart_id": apple["cart_id"]})

    assert (answer.status, answer.code) == (422, "unknown_field")
    assert shopper.get("/cart").json == apple


def test_secrets_can_be_rotated(make_shop: Callable[..., Shop], shop_class: type[Shop]) -> None:
    """A new secret in front signs; the old one behind it still verifies, until it is taken out."""
    if not shop_class.keeps_old_secrets:
        pytest.skip("this framework's version knows one secret only")
    old, new = "the old secret of the shop", "the new secret of the shop"
    shopper = make_shop(secrets=(old,)).shopper()
    cart = shopper.post("/cart/items", json={"sku": "apple"}).json

    both = make_shop(secrets=(new, old)).shopper()
    both.cookies |= shopper.cookies
    newcomer = both.fresh()
    newcomers_cart = newcomer.get("/cart").json
    only_new, only_new_newcomer = (
        make_shop(secrets=(new,)).shopper(),
        make_shop(secrets=(new,)).shopper(),
    )
    only_new.cookies |= shopper.cookies
    only_new_newcomer.cookies |= newcomer.cookies

    assert both.get("/cart").json == cart
    assert only_new.get("/cart").json["cart_id"] != cart["cart_id"]
    assert only_new_newcomer.get("/cart").json == newcomers_cart


# Clients without cookies


def test_cart_token_new_begins_a_session(shopper: Shopper) -> None:
    """`Cart-Token: new` answers with the token to send from then on, and with no cookie."""
    first = shopper.post("/cart/items", json={"sku": "apple"}, headers={"Cart-Token": "new"})
    token = first.headers["cart-token"]
    second = shopper.post("/cart/items", json={"sku": "banana"}, headers={"Cart-Token": token})

    assert first.set_cookies == second.set_cookies == ()
    assert second.headers["cart-token"] == token
    assert [item["sku"] for item in second.json["items"]] == ["apple", "banana"]


@pytest.mark.parametrize("token", ["forged", "", "a.b", "\xff", "new ", "null"])
def test_a_forged_cart_token_is_no_session(
    shopper: Shopper, apple: dict[str, Any], token: str
) -> None:
    """It begins a new session, and does not fall back to the cookie that came along."""
    answer = shopper.get("/cart", headers={"Cart-Token": token})

    assert answer.json["cart_id"] != apple["cart_id"]
    assert answer.json["items"] == []
    assert answer.headers["cart-token"].startswith(answer.json["cart_id"] + ".")


def test_a_cart_token_speaks_before_the_cookie(shopper: Shopper, apple: dict[str, Any]) -> None:
    """A client that sends both means the token."""
    other = shopper.fresh()
    first = other.post("/cart/items", json={"sku": "banana"}, headers={"Cart-Token": "new"})

    answer = shopper.get("/cart", headers={"Cart-Token": first.headers["cart-token"]})

    assert answer.json == first.json
    assert shopper.get("/cart").json == apple


def test_no_token_is_reported_to_who_asks_with_a_cookie(shopper: Shopper) -> None:
    """A script that reads answers learns no key to the session."""
    assert "cart-token" not in shopper.get("/cart").headers


# Reads that nobody pays for


def test_reading_without_a_cookie_writes_nothing(shop: Shop, engine: Engine) -> None:
    """A crowd of clients that keep no cookies leaves no key."""
    for _ in range(100):
        assert shop.shopper().get("/cart").status == 200
        assert shop.shopper().get("/cart/summary").status == 200

    assert keys(engine) == []


def test_many_reads_write_nothing(engine: Engine) -> None:
    """`GET /cart` without a cookie, many times: no new key, and a session of its own for each."""
    from clients.service import ServiceShop

    shop = ServiceShop(Setup(url=engine.url))
    look = Sent(method="GET", target="/cart", headers=(("host", "shop.test"),))
    statuses, cookies = set(), set()

    async def keep_looking() -> None:
        for _ in range(SESSION_READS // 8):
            answer = await ask(shop.app, look)
            statuses.add(answer.status)
            cookies.add(answer.set_cookies[0].partition(";")[0])

    async def crowd() -> None:
        await asyncio.gather(*(keep_looking() for _ in range(8)))

    shop.wait_for(crowd())
    shop.close()

    assert statuses == {200}
    assert len(cookies) == SESSION_READS
    assert keys(engine) == []
