"""Strangers: on every route, however they pretend, they never reach a cart that is not theirs.

The routes are those of the contract's own tables, so that a new one is tried without being named
here. One with a body or a parameter that `clients.examples` does not know fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from clients.examples import EVERY_ROUTE, example_of
from ecart.http import Session
from ecart.http.routes import Route
from ecart.tokens import SignedTokens
from engines import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clients import Answer, Shop, Shopper

KEY = "a-key-of-the-back-office"
SKU = "a-secret-of-the-victim"
OPERATION = "an-operation-of-the-victim"


def of_access(*access: str) -> Any:
    chosen = [route for route in EVERY_ROUTE if route.access in access]
    return pytest.mark.parametrize(
        "route", chosen, ids=lambda route: f"{route.method} {route.path}"
    )


@dataclass
class Victim:
    """A shopper with a line and an open check-out, and what only this one may know."""

    shopper: Shopper
    cookie: str
    token: str
    cart_id: str
    line_id: str
    checkout_id: str
    tag: str

    def secrets(self, sent: str) -> list[bytes]:
        """What no answer to a stranger may hold, but for what the stranger has said."""
        own = (self.cart_id, self.line_id, self.checkout_id, self.cookie, self.token, self.tag)
        return [text.encode() for text in own if text not in sent]


def victim_of(shop: Shop, *, by_token: bool) -> Victim:
    shopper = shop.shopper()
    headers = {"Idempotency-Key": OPERATION, **({"Cart-Token": "new"} if by_token else {})}
    added = shopper.post("/cart/items", json={"sku": SKU, "quantity": 3}, headers=headers)
    token = added.headers.get("cart-token", "no token")
    own = {"Cart-Token": token} if by_token else {}
    held = shopper.post("/cart/checkout", headers=own)
    cookie = shopper.cookies.get(shop.cookie, "no cookie")
    (item,) = added.json["items"]
    return Victim(
        shopper,
        cookie,
        token,
        added.json["cart_id"],
        item["id"],
        held.json["checkout_id"],
        held.headers["etag"].strip('"'),
    )


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop(office_keys=(KEY,))


@pytest.fixture
def victims(shop: Shop, engine: Engine) -> Iterator[list[Victim]]:
    """One with a cookie, one with a token. Whatever is tried, their carts stay as they are."""
    victims = [victim_of(shop, by_token=by_token) for by_token in (False, True)]
    with engine.connected() as client:
        before = stored(client, victims)
        yield victims
        assert stored(client, victims) == before


def stored(client: Any, victims: list[Victim]) -> dict[bytes, tuple[bytes, int]]:
    ids = [victim.cart_id.encode() for victim in victims]
    keys = [key for key in client.keys("*") if key.rpartition(b":")[2] in ids]
    assert len(keys) == len(victims)
    return {key: (client.hgetall(key), client.execute_command("PEXPIRETIME", key)) for key in keys}


Disguise = tuple[dict[str, str], dict[str, str]]


def disguises(victim: Victim, other: Victim, shop: Shop) -> dict[str, Disguise]:
    """Cookies and headers of somebody who has none of the victim's keys, by what is pretended."""
    name, cookie, cart_id = shop.cookie, victim.cookie, victim.cart_id
    guessed = SignedTokens(["a secret that was guessed"]).sign(Session(cart_id))
    cookies = {
        "cut behind": cookie[:-1],
        "cut in front": cookie[1:],
        "unsigned": cookie.rpartition(".")[0],
        "another signature": f"{cookie.rpartition('.')[0]}.{other.cookie.rpartition('.')[2]}x",
        "the cart id": cart_id,
        "the check-out id": victim.checkout_id,
        "a guessed secret": guessed,
        "another deployment's": other.cookie,
    }
    others_names = {"ecart2", "cart_id", "ecart_cart_id", "__Host-ecart", "__Host-session", "sid"}
    token = {
        "cut": victim.token[:-1],
        "the cart id": cart_id,
        "a guessed secret": guessed,
        "another deployment's": other.token,
        "empty": "",
    }
    return {
        "nothing": ({}, {}),
        **{f"cookie: {what}": ({name: value}, {}) for what, value in cookies.items()},
        "cookie: other names": (dict.fromkeys(others_names - {name}, cookie), {}),
        **{f"token: {what}": ({}, {"Cart-Token": value}) for what, value in token.items()},
        "bearer: the cookie": ({}, {"Authorization": f"Bearer {cookie}"}),
        "bearer: the cart id": ({}, {"Authorization": f"Bearer {cart_id}"}),
        "bearer: the check-out id": ({}, {"Authorization": f"Bearer {victim.checkout_id}"}),
        "other headers": ({}, dict.fromkeys(("X-Cart-Id", "Cart-Id", "X-Session-Id"), cart_id)),
    }


def sent_to(route: Route, aim: dict[str, str]) -> str:
    """What the request of this route names, in its path and its body."""
    return str(example_of(route, **aim))


def ask(who: Shopper, route: Route, aim: dict[str, str], headers: dict[str, str]) -> Answer:
    """The request of this route, aimed at these ids."""
    method, target, options = example_of(route, **aim)
    return who.request(method, target, headers=headers, **options)


def is_no_leak(answer: Answer, victims: list[Victim], sent: str) -> None:
    said = answer.body + repr((answer.headers, answer.set_cookies)).encode()
    for victim in victims:
        assert [secret for secret in victim.secrets(sent) if secret in said] == []


def aim_at(victim: Victim) -> dict[str, str]:
    return {
        "line_id": victim.line_id,
        "cart_id": victim.cart_id,
        "checkout_id": victim.checkout_id,
        "key": OPERATION,
    }


def test_no_route_is_forgotten() -> None:
    """The tables were found, and there is something to send to each."""
    assert len(EVERY_ROUTE) >= 15
    assert {route.access for route in EVERY_ROUTE} == {"session", "back_office", "all"}
    for route in EVERY_ROUTE:
        example_of(route, cart_id="c", line_id="l", checkout_id="o", key="k")


@of_access("session", "all")
def test_somebody_without_a_key(
    shop: Shop, victims: list[Victim], make_shop: Callable[..., Shop], route: Route
) -> None:
    """However it pretends, it is a new visitor: an empty cart, or the refusal that one gets."""
    foreign = make_shop(secrets=("a secret of another deployment",))
    other = [victim_of(foreign, by_token=by_token) for by_token in (False, True)]
    other[0].token = other[1].token
    pretended = Victim(**{**vars(victims[0]), "token": victims[1].token})
    newcomer = ask(shop.shopper(), route, aim_at(victims[0]), {})

    for what, (cookies, headers) in disguises(pretended, other[0], shop).items():
        for victim in victims:
            stranger = shop.shopper()
            stranger.cookies |= cookies

            answer = ask(stranger, route, aim_at(victim), headers)

            assert answer.status == newcomer.status, what
            is_no_leak(answer, victims, sent_to(route, aim_at(victim)))


@of_access("session", "all")
@pytest.mark.parametrize("by_token", [False, True], ids=["cookie", "token"])
def test_another_shopper(shop: Shop, victims: list[Victim], route: Route, by_token: bool) -> None:
    """Who has a cart sees and changes that one, whatever ids of others are named."""
    for victim in victims:
        own = victim_of(shop, by_token=by_token)
        headers = {"Cart-Token": own.token} if by_token else {}
        named = dict.fromkeys(("X-Cart-Id", "Authorization"), f"Bearer {victim.cart_id}")

        answer = ask(own.shopper, route, aim_at(victim), {**headers, **named})

        is_no_leak(answer, victims, f"{own.line_id} {sent_to(route, aim_at(victim))}")
        if answer.status == 200 and route.access == "session":
            cart = answer.json.get("cart", answer.json)
            assert cart.get("cart_id", own.cart_id) == own.cart_id


@of_access("back_office")
def test_the_back_office_without_its_key(
    shop: Shop, victims: list[Victim], route: Route, make_shop: Callable[..., Shop]
) -> None:
    """401, whatever is brought instead of the key, and be it the cart's own session."""
    other = victim_of(make_shop(secrets=("a secret of another deployment",)), by_token=False)
    keyless = make_shop()

    for victim in victims:
        tried = [headers for _, headers in disguises(victim, other, shop).values()]
        tried += [{"Authorization": f"Bearer {key}"} for key in (KEY[:-1], KEY + "x", KEY.upper())]
        for headers in tried:
            for who in (shop.shopper(), victim.shopper):
                answer = ask(who, route, aim_at(victim), headers)

                assert (answer.status, answer.code) == (401, "unauthorized")
                is_no_leak(answer, victims, "")
        without = ask(keyless.shopper(), route, aim_at(victim), {"Authorization": f"Bearer {KEY}"})
        assert without.status == 404
        is_no_leak(without, victims, "")


ENDS = [route for route in EVERY_ROUTE if "{checkout_id}" in route.path]


@pytest.mark.parametrize("route", ENDS, ids=lambda route: route.path)
def test_a_check_out_of_another_cart(shop: Shop, victims: list[Victim], route: Route) -> None:
    """Even with the key, a check-out id ends no check-out but its own cart's."""
    key = {"Authorization": f"Bearer {KEY}"}
    for victim, other in (victims, victims[::-1]):
        aim = {**aim_at(victim), "cart_id": other.cart_id}

        answer = ask(shop.shopper(), route, aim, key)

        assert (answer.status, answer.code) == (409, "checkout_not_open")
        is_no_leak(answer, [victim], sent_to(route, aim))


def test_a_session_is_one_cart_wherever_it_is_put(shop: Shop, victims: list[Victim]) -> None:
    """A cookie as a token, a token as a cookie: its own cart or a new one, never a third."""
    cookie, token = victims
    swapped = shop.shopper()
    swapped.cookies[shop.cookie] = token.token

    by_cookie = swapped.get("/cart").json["cart_id"]
    by_token = shop.shopper().get("/cart", headers={"Cart-Token": cookie.cookie}).json["cart_id"]

    assert by_cookie != cookie.cart_id
    assert by_token != token.cart_id
