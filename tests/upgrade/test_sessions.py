"""Cookies and tokens of an earlier version open the same carts, in each kind of session.

The cookies of Flask and Django carry the time of signing and are refused when they are older than
the session may be: 31 and 14 days. The tests allow sessions of a hundred years.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clients import INTEGRATIONS, Setup, Shop, Shopper
from clients.plain_asgi import PlainAsgiShop
from engines import Engine, missing
from upgrade.golden import FOLDER, as_json, recorded_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upgrade.golden import Golden

A_CENTURY = timedelta(days=36_500)
RECORDED = json.loads((FOLDER / "sessions.json").read_text())
SESSIONS: dict[str, dict[str, Any]] = RECORDED["sessions"]
SENT = {"sku": "apple", "quantity": 2, "options": {"size": "M"}}
"""The body of the request that each visitor sent, under the session's `key`."""
EACH_KIND = [one for one in INTEGRATIONS if one.id not in ("fastapi", "litestar")]
"""Those two read the cookie as Starlette and plain ASGI do, and take seconds to import."""


@pytest.fixture(params=EACH_KIND)
def shop(
    request: pytest.FixtureRequest, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """A deployment of each kind, with the secret of before."""
    module, name, package = request.param
    if importlib.util.find_spec(package) is None:
        missing(f"no {package}: pip install {package}")
    shop_class = getattr(importlib.import_module(f"clients.{module}"), name)
    if package == "django":
        from django.conf import settings

        monkeypatch.setattr(settings, "SESSION_COOKIE_AGE", A_CENTURY.total_seconds())
    shop: Any = shop_class(Setup(url=engine.url, secrets=(RECORDED["secret"],)))
    if package == "flask":
        shop.app.permanent_session_lifetime = A_CENTURY
    yield shop
    shop.close()


@pytest.fixture
def asgi(engine: Engine) -> Iterator[Shop]:
    """A deployment with the secret of before, to be asked for any cart by its token."""
    shop = PlainAsgiShop(Setup(url=engine.url, secrets=(RECORDED["secret"],)))
    yield shop
    shop.close()


def sessions_of(shop: Shop) -> list[tuple[dict[str, Any], Shopper]]:
    """The visitor's session and the user's, over http and, with a cookie of ours, https."""
    name = {"session": "flask", "sessionid": "django"}.get(shop.cookie)
    schemes = [("http", name)] if name else [("http", "http"), ("https", "https")]
    found = []
    for scheme, name in schemes:
        for session in (SESSIONS[name], SESSIONS[f"{name} signed in"]):
            shopper = shop.shopper(scheme=scheme)
            shopper.cookies.update(session["cookies"])
            found.append((session, shopper))
    return found


def test_cookies_open_their_carts(shop: Shop, before: Golden) -> None:
    """A visitor's and a user's; no new session is begun."""
    for session, shopper in sessions_of(shop):
        cart = before.cart(session["cart_id"])

        answer = shopper.get("/cart")

        assert answer.status == 200
        assert answer.json["cart_id"] == cart.cart_id
        assert answer.headers["etag"] == f'"{cart.etag}"'
        assert [(item["id"], item["quantity"]) for item in answer.json["items"]] == [
            (line["line_id"], line["quantity"]) for line in cart.snapshot["lines"]
        ]
        assert answer.set_cookies == ()


def test_changes_go_on(shop: Shop, before: Golden) -> None:
    """A request that was sent before and is repeated counts once; then a new one is applied."""
    for session, shopper in sessions_of(shop):
        cart = before.cart(session["cart_id"])
        if session["key"]:
            key = {"idempotency-key": session["key"]}
            again = shopper.post("/cart/items", json=SENT, headers=key)
            other = shopper.post("/cart/items", json={**SENT, "quantity": 3}, headers=key)

            assert again.headers["idempotency-replayed"] == "true"
            assert again.headers["etag"] == f'"{cart.etag}"'
            assert (other.status, other.code) == (422, "idempotency_key_reused")

        seen = {"if-match": f'"{cart.etag}"'}
        more = shopper.post("/cart/items", json={"sku": "tea"}, headers=seen)

        assert more.status == 200
        assert more.json["cart_id"] == cart.cart_id
        assert more.json["version"] == cart.snapshot["version"] + 1


def test_a_token_opens_its_cart(asgi: Shop, before: Golden) -> None:
    """What a client without cookies was given; its repeated request counts once."""
    session = SESSIONS["token"]
    headers = {"cart-token": session["token"], "idempotency-key": session["key"]}

    again = asgi.shopper().post("/cart/items", json={"sku": "tea"}, headers=headers)

    assert again.headers["idempotency-replayed"] == "true"
    renewed = {"cart-token": again.headers["cart-token"]}
    assert renewed["cart-token"] != session["token"]
    assert asgi.shopper().get("/cart", headers=renewed).json["cart_id"] == session["cart_id"]
    assert again.headers["etag"] == f'"{before.cart(session["cart_id"]).etag}"'


def test_carts_are_shown_as_before(asgi: Shop, before: Golden) -> None:
    """The JSON of `GET /cart`, whole; a client that has it gets 304."""
    shown = [cart for cart in before.carts if cart.token]
    assert len(shown) > 10
    for cart in shown:
        token = {"cart-token": cart.token}

        answer = asgi.shopper().get("/cart", headers=token)
        again = asgi.shopper().get("/cart", headers={**token, "if-none-match": f'"{cart.etag}"'})

        assert as_json(recorded_part(answer.json, cart.view)) == as_json(cart.view)
        assert answer.headers["etag"] == f'"{cart.etag}"'
        assert again.status == 304
