"""A log-out ends the session: no copy of its token opens the cart, in whatever process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from clients import INTEGRATIONS
from ecart import MemoryStore, RedisStore
from ecart.errors import SessionEndedError, StoreError
from ecart.http import HttpSettings, Session
from ecart.integrations.host import Host
from ecart.operations import AddItem, EndSession, GetSummary, SetTtl
from ecart.tokens import SignedTokens, TextSigner

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Shop, Shopper
    from ecart.store import Store
    from engines import Engine

SECRETS = ("a secret of the tests, the first",)
KEY = "a key of the back office"

each_integration = pytest.mark.parametrize("shop_class", INTEGRATIONS, indirect=True)


def log_in(shopper: Shopper, user: Any = 42) -> None:
    assert shopper.post("/login", json={"user": user}).status // 100 == 2


@pytest.fixture
def user(shopper: Shopper) -> Shopper:
    """A user with two apples."""
    log_in(shopper)
    shopper.post("/cart/items", json={"sku": "apple", "quantity": 2})
    return shopper


@pytest.fixture
def thief(user: Shopper) -> Shopper:
    """Somebody with a copy of the user's cookies, of while the user was logged in."""
    other = user.fresh()
    other.cookies |= user.cookies
    assert other.get("/cart").json["cart_id"] == "user.42"
    return other


@each_integration
def test_a_copy_of_the_cookie_opens_nothing_any_more(user: Shopper, thief: Shopper) -> None:
    """Neither to see the cart nor to change it; it begins a session of its own."""
    user.post("/logout")

    seen = thief.get("/cart").json
    thief.post("/cart/items", json={"sku": "pear"})
    log_in(user)

    assert seen["cart_id"] != "user.42"
    assert seen["items"] == []
    assert [item["sku"] for item in user.get("/cart").json["items"]] == ["apple"]


@each_integration
def test_nor_does_it_by_the_first_change(user: Shopper, thief: Shopper) -> None:
    user.post("/logout")

    added = thief.post("/cart/items", json={"sku": "pear"})

    assert added.status == 200
    assert added.json["cart_id"] != "user.42"
    assert [item["sku"] for item in added.json["items"]] == ["pear"]


@each_integration
def test_own_views_open_nothing_either(user: Shopper, thief: Shopper) -> None:
    """They refuse the change once, and the client forgets the session."""
    user.post("/logout")

    with contextlib.suppress(SessionEndedError):  # or the framework answers 500
        thief.post("/gift")
    log_in(user)

    assert [item["sku"] for item in user.get("/cart").json["items"]] == ["apple"]


@each_integration
def test_it_is_ended_in_every_process(make_shop: Callable[..., Shop]) -> None:
    here, there = make_shop(), make_shop()
    shopper = here.shopper()
    log_in(shopper)
    shopper.post("/cart/items", json={"sku": "apple"})
    copy = there.shopper()
    copy.cookies |= shopper.cookies
    assert copy.get("/cart").json["total_quantity"] == 1

    shopper.post("/logout")

    assert copy.get("/cart").json["cart_id"] != "user.42"


@each_integration
def test_other_devices_stay_logged_in(user: Shopper) -> None:
    phone = user.fresh()
    log_in(phone)

    user.post("/logout")

    assert phone.get("/cart").json["cart_id"] == "user.42"
    assert phone.post("/cart/items", json={"sku": "apple"}).json["total_quantity"] == 3


@each_integration
def test_a_log_in_with_an_ended_session_begins_another(user: Shopper, thief: Shopper) -> None:
    """The browser may have missed the answer that deleted its cookie."""
    user.post("/logout")

    log_in(thief)

    assert thief.get("/cart").json["cart_id"] == "user.42"
    assert thief.get("/cart").json["total_quantity"] == 2


def test_a_cookie_of_before_sessions_had_ids_is_ended_too() -> None:
    """All such cookies of a user are one session."""
    host = Host(MemoryStore(), tokens=SignedTokens(SECRETS))
    session = SignedTokens(SECRETS).read(TextSigner(SECRETS, "ecart.session").sign("user.42"))
    assert session is not None
    host.cart(session).add("apple")
    assert host.cart(session).summary().total_quantity == 1

    host.sign_out(session)

    assert host.cart(session).summary().total_quantity == 0


# The back office's log-out.


def office(shop: Shop) -> Callable[..., Any]:
    def ask(method: str, target: str, token: str | None = None) -> Any:
        headers = {"authorization": f"Bearer {KEY}", **({"cart-token": token} if token else {})}
        return shop.shopper().request(method, target, headers=headers)

    return ask


def test_the_back_office_logs_out(make_shop: Callable[..., Shop]) -> None:
    """By the token that its log-in gave; each log-in gives another."""
    shop = make_shop(office_keys=(KEY,))
    ask = office(shop)
    first, second = (ask("POST", "/carts/user.42/session").headers["cart-token"] for _ in range(2))
    assert first != second
    added = shop.shopper().post("/cart/items", json={"sku": "apple"}, headers={"cart-token": first})
    assert added.json["cart_id"] == "user.42"

    for _ in range(2):  # ended already is ended, too
        assert ask("POST", "/carts/user.42/session/end", first).status == 204

    ended = shop.shopper().get("/cart", headers={"cart-token": first})
    assert ended.json["cart_id"] != "user.42"
    assert ended.headers["cart-token"] != first
    other = shop.shopper().get("/cart", headers={"cart-token": second})
    assert other.json["total_quantity"] == 1


def test_only_the_session_of_that_user_is_ended(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(office_keys=(KEY,))
    ask = office(shop)
    token = ask("POST", "/carts/user.42/session").headers["cart-token"]

    assert ask("POST", "/carts/user.43/session/end", token).status == 404
    assert ask("POST", "/carts/user.42/session/end").status == 404
    assert ask("POST", "/carts/user.42/session/end", "new").status == 404
    kept = shop.shopper().get("/cart", headers={"cart-token": token})
    assert kept.json["cart_id"] == "user.42"


# What it means to a store.


def test_operations_of_an_ended_session_are_refused(store: Store) -> None:
    """Those of other sessions, of the library and on other carts are not."""
    store.execute("c", AddItem(sku="apple", session_id="s"))
    end = EndSession(ended_id="s", life_ms=60_000)
    assert store.execute("c", end) is store.execute("c", end) is None

    for operation in (
        GetSummary(session_id="s"),
        AddItem(sku="apple", session_id="s"),
        SetTtl(ttl_ms=1000, session_id="s"),
    ):
        with pytest.raises(SessionEndedError):
            store.execute("c", operation)
    store.execute("c", AddItem(sku="apple", session_id="t"))
    store.execute("c", AddItem(sku="apple"))
    store.execute("d", AddItem(sku="apple", session_id="s"))

    assert store.execute("c", GetSummary()).total_quantity == 3


def test_it_is_ended_also_when_the_cart_has_gone(store: Store) -> None:
    """It is remembered beside the cart, which may end earlier, or not be there yet."""
    store.execute("c", EndSession(ended_id="s", life_ms=60_000))
    store.execute("c", AddItem(sku="apple"))
    host = Host(store, tokens=SignedTokens(SECRETS))
    host.cart("c").destroy()

    with pytest.raises(SessionEndedError):
        store.execute("c", GetSummary(session_id="s"))


def test_it_is_remembered_for_as_long_as_a_token_lives(engine: Engine) -> None:
    host = Host(
        RedisStore(engine.url),
        tokens=SignedTokens(SECRETS),
        settings=HttpSettings(user_session_seconds=600),
    )
    host.sign_out(Session("user.42", id="s"))
    with engine.connected() as client:
        (key,) = client.keys("*:ended:s")
        assert 595_000 < client.pttl(key) <= 600_000


def test_a_visitor_has_nothing_to_end(engine: Engine) -> None:
    Host(RedisStore(engine.url), tokens=SignedTokens(SECRETS)).sign_out(Session("v"))

    with engine.connected() as client:
        assert client.keys("*") == []


def test_a_log_out_that_was_not_written_down_is_an_error() -> None:
    """The session goes on, and who logs out must know."""
    host = Host(RedisStore("redis://127.0.0.1:1", deadline=0.05), tokens=SignedTokens(SECRETS))
    with pytest.raises(StoreError):
        host.sign_out(Session("user.42", id="s"))
