"""The service with the secret of before: sessions, forms and first visits go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from clients.service import ServiceShop
from clients.shop import Setup
from upgrade.golden import FOLDER, as_json, recorded_part, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.shop import Answer, Shopper
    from engines import Engine
    from upgrade.golden import Golden

RECORDED = json.loads((FOLDER / "sessions.json").read_text())
SESSIONS: dict[str, dict[str, Any]] = RECORDED["sessions"]
FORMS = json.loads((Path(__file__).parent / "forms.json").read_text())
AN_HOUR, A_WEEK = 3_600, 604_800


@pytest.fixture
def shop(engine: Engine) -> Iterator[ServiceShop]:
    shop = ServiceShop(Setup(url=engine.url, secrets=(RECORDED["secret"],), first_ttl=AN_HOUR))
    yield shop
    shop.close()


@pytest.fixture
def shopper(shop: ServiceShop) -> Shopper:
    """The one who filled in the forms."""
    shopper = shop.shopper()
    shopper.cookies.update(FORMS["cookies"])
    return shopper


def send(shopper: Shopper, path: str, fields: str) -> Answer:
    form = {"content-type": "application/x-www-form-urlencoded"}
    return shopper.post(path, body=fields.encode(), headers=form)


def units(shopper: Shopper) -> dict[str, int]:
    return {item["id"]: item["quantity"] for item in shopper.get("/cart").json["items"]}


@pytest.mark.parametrize("name", ["http", "https", "http signed in", "https signed in"])
def test_cookies_open_their_carts(name: str, shop: ServiceShop, before: Golden) -> None:
    """`ecart`, and over https `__Host-ecart`."""
    cart = before.cart(SESSIONS[name]["cart_id"])
    shopper = shop.shopper(scheme=name.partition(" ")[0])
    shopper.cookies.update(SESSIONS[name]["cookies"])

    answer = shopper.get("/cart")

    assert (answer.status, answer.json["cart_id"]) == (200, cart.cart_id)
    assert answer.headers["etag"] == f'"{cart.etag}"'
    assert answer.set_cookies == ()


def test_a_token_opens_its_cart(shop: ServiceShop, before: Golden) -> None:
    """And a request that is repeated under its key counts once."""
    session = SESSIONS["token"]
    headers = {"cart-token": session["token"], "idempotency-key": session["key"]}

    again = shop.shopper().post("/cart/items", json={"sku": "tea"}, headers=headers)

    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == f'"{before.cart(session["cart_id"]).etag}"'


def test_carts_are_shown_as_before(shop: ServiceShop, before: Golden) -> None:
    """The JSON of `GET /cart`, whole."""
    shown = [cart for cart in before.carts if cart.token]
    for cart in shown:
        answer = shop.shopper().get("/cart", headers={"cart-token": cart.token})

        assert as_json(recorded_part(answer.json, cart.view)) == as_json(cart.view)
    assert len(shown) > 10


def test_a_first_visit_is_seen_again(shop: ServiceShop, before: Golden, client: Any) -> None:
    """Its cart was to live for an hour, and lives a week from now on."""
    session = SESSIONS["first visit"]
    cart = before.cart(session["cart_id"])
    shopper = shop.shopper()
    shopper.cookies.update(session["cookies"])
    assert client.ttl(cart.key) <= AN_HOUR

    assert shopper.get("/cart").json["total_quantity"] == 1

    assert A_WEEK - 60 < client.ttl(cart.key) <= A_WEEK
    assert cart.records.items() <= stored(client, cart).items()


def test_a_form_that_was_sent_counts_once(shopper: Shopper, before: Golden) -> None:
    """Also when it is sent again to the new version."""
    assert units(shopper) == {"apple": 2}

    assert send(shopper, "/shop/add", FORMS["sent"]).status == 303

    assert units(shopper) == {"apple": 2}


def test_a_form_of_an_old_page_is_taken(shopper: Shopper, before: Golden) -> None:
    """Its token proves the session, and its entity tag the cart that was shown."""
    assert send(shopper, "/shop/set", FORMS["set"]).status == 303
    assert send(shopper, "/shop/add", FORMS["not_sent"]).status == 303

    assert units(shopper) == {"apple": 5, "tea": 1}


def test_the_token_of_a_form_is_checked(shopper: Shopper, before: Golden) -> None:
    """One that differs in a letter is refused."""
    (token,) = parse_qs(FORMS["not_sent"])["token"]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")

    assert send(shopper, "/shop/add", FORMS["not_sent"].replace(token, other)).status == 403


def test_a_message_that_names_no_session_is_not_shown(shopper: Shopper, before: Golden) -> None:
    """Such a message waited a minute at most; now the session that it is of is signed, too."""
    cookies = f"ecart={shopper.cookies['ecart']}; ecart-note={FORMS['note']}"

    page = shopper.get("/", headers={"cookie": cookies})

    assert page.status == 200
    assert "is out of the cart" not in page.body.decode()
