"""Log-in and log-out with `django.contrib.auth`: whose cart a session opens, and whose not."""

from __future__ import annotations

import itertools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import pytest

import clients.django  # noqa: F401  (settings come before models)

# isort: split
from django.contrib.auth import aauthenticate, alogin, authenticate, login, logout
from django.contrib.auth.models import User
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from ecart import Cart, RedisStore, Rules
from ecart.integrations.django import asign_in, asign_out, cart_from, sign_in, sign_out
from ecart.integrations.django.state import async_host, host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

BACKENDS = ["db", "cache", "cached_db", "file", "signed_cookies"]
NAMES = (f"user-{number}" for number in itertools.count())


@csrf_exempt
def log_in(request: Any) -> HttpResponse:
    """Looks at the cart before and after, as a site may."""
    before = request.cart.cart_id
    login(request, authenticate(request, username=request.POST["name"], password="secret"))
    came_to = request.cart_sign_in
    return JsonResponse(
        {
            "before": before,
            "after": request.cart.cart_id,
            "added": came_to and came_to.report.added,
            "refused": came_to and came_to.refused,
        }
    )


@csrf_exempt
async def log_in_async(request: Any) -> HttpResponse:
    user = await aauthenticate(request, username=request.POST["name"], password="secret")
    await alogin(request, user)
    cart = await request.acart()
    return JsonResponse({"after": cart.cart_id, "units": (await cart.summary()).total_quantity})


@csrf_exempt
def log_out(request: Any) -> HttpResponse:
    """Looks at the cart before and afterwards."""
    before = request.cart.cart_id
    logout(request)
    return JsonResponse({"before": before, "after": request.cart.cart_id})


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(cart_from(request).cart_id)


@csrf_exempt
def own_log_in(request: Any) -> HttpResponse:
    """Of a site with users of its own."""
    request.session["theirs"] = 1
    sign_in(request, "customer-7")
    return HttpResponse(request.session.session_key)


@csrf_exempt
def own_log_out(request: Any) -> HttpResponse:
    sign_out(request)
    return HttpResponse(request.cart.cart_id)


@csrf_exempt
async def own_log_in_and_out(request: Any) -> HttpResponse:
    signed_in = await asign_in(request, "customer-7")
    await asign_out(request)
    return JsonResponse(
        {"in": signed_in.cart_id, "out": await request.session.aget("ecart_cart_id")}
    )


class Urls:
    """The site of these tests."""

    urlpatterns = (
        path("login", log_in),
        path("async-login", log_in_async),
        path("logout", log_out),
        path("view", view),
        path("own-login", own_log_in),
        path("own-logout", own_log_out),
        path("own-async", own_log_in_and_out),
        path("", include("ecart.integrations.django.urls")),
    )


@pytest.fixture(params=["db"])
def site(request: pytest.FixtureRequest, own_engine: Engine, tables: None) -> Iterator[Engine]:
    """The engine of a site whose sessions are in the database, or where the test says."""
    backend = f"django.contrib.sessions.backends.{request.param}"
    store = RedisStore(own_engine.url, deadline=0.2)
    setting = {"STORE": store, "ASYNC_STORE": own_engine.url}
    with override_settings(ECART=setting, ROOT_URLCONF=Urls, SESSION_ENGINE=backend):
        yield own_engine
    store.close()


@pytest.fixture
def client(site: Engine) -> Client:
    return Client()


@pytest.fixture
def user(tables: None) -> Any:
    return User.objects.create_user(next(NAMES), password="secret")


def add(client: Client, sku: str, quantity: int = 1) -> Any:
    answer = client.post(
        "/cart/items", {"sku": sku, "quantity": quantity}, content_type="application/json"
    )
    return answer.json()


def enter(client: Client, user: Any) -> Any:
    return client.post("/login", {"name": user.username}).json()


def bought(client: Client) -> dict[str, int]:
    return {item["sku"]: item["quantity"] for item in client.get("/cart").json()["items"]}


every_backend = pytest.mark.parametrize("site", BACKENDS, indirect=True)


@every_backend
def test_the_visitors_cart_goes_into_the_users(client: Client, user: Any) -> None:
    """The view learns what happened, and has the user's cart at once; the next request, too."""
    visitor = add(client, "apple", 2)

    told = enter(client, user)

    assert told == {
        "before": visitor["cart_id"],
        "after": f"user.{user.pk}",
        "added": 1,
        "refused": None,
    }
    assert client.get("/cart").json()["cart_id"] == f"user.{user.pk}"
    assert bought(client) == {"apple": 2}


@every_backend
def test_another_device_finds_the_users_cart(client: Client, user: Any) -> None:
    """And adds what was in its own."""
    add(client, "apple", 2)
    enter(client, user)
    other = Client()
    add(other, "apple", 1)
    add(other, "banana", 1)

    enter(other, user)

    assert bought(other) == bought(client) == {"apple": 3, "banana": 1}


@every_backend
def test_a_repeated_log_in_merges_once(client: Client, user: Any) -> None:
    """In the same session, and from a copy of the cookie of before."""
    add(client, "apple", 2)
    copy = Client()
    copy.cookies = SimpleCookie(client.cookies)

    enter(client, user)
    enter(client, user)
    enter(copy, user)

    assert bought(client) == bought(copy) == {"apple": 2}


def test_two_tabs_log_in_at_once(site: Engine, user: Any) -> None:
    """Eight times the same: the cart is merged once, and both end with the user's."""
    for round in range(1, 9):
        tabs = [Client(), Client()]
        add(tabs[0], "apple", 2)
        tabs[1].cookies = SimpleCookie(tabs[0].cookies)
        start = threading.Barrier(2)

        def go(tab: Client, start: threading.Barrier = start) -> str:
            try:
                start.wait()
                after: str = enter(tab, user)["after"]
                return after
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(go, tabs)) == [f"user.{user.pk}"] * 2
        assert [bought(tab) for tab in tabs] == [{"apple": 2 * round}] * 2


@pytest.mark.parametrize("site", BACKENDS[:-1], indirect=True)
def test_a_cookie_from_before_the_log_in_opens_nothing(client: Client, user: Any) -> None:
    """Who planted or copied it has a new visitor's empty cart."""
    visitor = add(client, "apple", 2)
    thief = Client()
    thief.cookies = SimpleCookie(client.cookies)

    enter(client, user)

    seen = thief.get("/cart").json()
    assert seen["items"] == []
    assert seen["cart_id"] not in (visitor["cart_id"], f"user.{user.pk}")
    assert thief.get("/view").content.decode() != f"user.{user.pk}"
    add(thief, "banana")
    assert bought(client) == {"apple": 2}


def test_a_signed_cookie_from_before_the_log_in_opens_nothing(site: Engine, user: Any) -> None:
    """Django cannot end a session that lives in a cookie; but its cart has ended."""
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies"):
        client, thief = Client(), Client()
        add(client, "apple", 2)
        thief.cookies = SimpleCookie(client.cookies)

        enter(client, user)

        assert bought(thief) == {}
        assert add(thief, "banana")["code"] == "cart_merged"
        assert bought(client) == {"apple": 2}


@every_backend
def test_after_a_log_out_there_is_a_new_cart(client: Client, user: Any) -> None:
    """In the same request, and in the next; the user's waits for the next log-in."""
    add(client, "apple", 2)
    enter(client, user)

    before, after = client.post("/logout").json().values()

    assert before == f"user.{user.pk}" != after
    assert client.get("/cart").json()["cart_id"] == after
    assert bought(client) == {}
    enter(client, user)
    assert bought(client) == {"apple": 2}


@pytest.mark.parametrize("site", BACKENDS[:-1], indirect=True)
def test_a_cookie_from_before_the_log_out_opens_nothing(client: Client, user: Any) -> None:
    """Whoever copied it while the user was logged in."""
    add(client, "apple", 2)
    enter(client, user)
    thief = Client()
    thief.cookies = SimpleCookie(client.cookies)
    assert bought(thief) == {"apple": 2}

    client.post("/logout")

    assert bought(thief) == {}


def test_another_user_in_the_same_session(client: Client, user: Any) -> None:
    """Has the own cart, and nothing of the one before."""
    other = User.objects.create_user(next(NAMES), password="secret")
    add(client, "apple", 2)
    enter(client, user)

    told = enter(client, other)

    assert told["after"] == f"user.{other.pk}"
    assert bought(client) == {}


@every_backend
def test_a_changed_password_closes_the_cart(client: Client, user: Any) -> None:
    """Django trusts the session no longer, so it opens the user's cart no longer."""
    add(client, "apple", 2)
    enter(client, user)

    user.set_password("another")
    user.save()

    assert client.get("/cart").json()["cart_id"] != f"user.{user.pk}"
    assert bought(client) == {}


def test_a_locked_user_has_no_cart(client: Client, user: Any) -> None:
    """Nor is the cart of a deleted one to be found in a session that outlived it."""
    add(client, "apple", 2)
    enter(client, user)

    user.is_active = False
    user.save()

    assert bought(client) == {}
    assert client.get("/view").content.decode() != f"user.{user.pk}"


def test_a_session_from_before_the_cart_was_installed(client: Client, user: Any) -> None:
    """A user who is logged in already has the user's cart without another log-in."""
    client.force_login(user)
    session = client.session
    session.pop("ecart_cart_id")
    session.save()

    assert client.get("/cart").json()["cart_id"] == f"user.{user.pk}"
    assert client.get("/view").content.decode() == f"user.{user.pk}"


def test_a_cart_that_cannot_be_merged_is_reported(client: Client, site: Engine, user: Any) -> None:
    """The log-in goes on, with the user's cart, and says why."""
    Cart(f"user.{user.pk}", host().store, rules=Rules(currency="EUR")).add(
        "wine", unit_price="9.00"
    )
    add(client, "apple", 2)

    told = enter(client, user)

    assert (told["after"], told["refused"]) == (f"user.{user.pk}", "currency_mismatch")
    assert bought(client) == {"wine": 1}


@pytest.mark.parametrize("site", ["db", "signed_cookies"], indirect=True)
@pytest.mark.parametrize("look", ["/cart", "/view"])
def test_a_log_in_without_an_engine(
    client: Client, site: Engine, user: Any, look: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Succeeds, and the log says what is missing; the first request that can merges, once."""
    visitor = add(client, "apple", 2)
    site.kill()
    with caplog.at_level(logging.WARNING, "ecart.django"):
        answer = client.post("/login", {"name": user.username, "plain": "1"})
    refused = client.get("/cart")
    kept = dict(client.session)
    site.start()
    # It has forgotten all.
    Cart(visitor["cart_id"], host().store).add("apple", 2, unit_price="0.50")

    client.get(look)

    assert answer.status_code == 200
    assert "a log-in could not merge the cart yet" in caplog.text
    assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    assert kept["ecart_cart_id"] == visitor["cart_id"]
    assert client.session["ecart_cart_id"] == f"user.{user.pk}"
    assert bought(client) == {"apple": 2}


async def test_on_asgi(site: Engine, user: Any) -> None:
    """`alogin` merges, and `await request.acart()` is the user's cart then."""
    client = AsyncClient()
    await client.post("/cart/items", {"sku": "apple"}, content_type="application/json")

    told = await client.post("/async-login", {"name": user.username})

    assert told.json() == {"after": f"user.{user.pk}", "units": 1}
    assert (await client.get("/cart")).json()["cart_id"] == f"user.{user.pk}"
    await async_host().store.close()  # type: ignore[attr-defined]


def test_users_whom_django_does_not_know(client: Client) -> None:
    """`sign_in` has the session go on with their cart, under another key, and keeps the rest."""
    add(client, "apple", 2)
    before = client.session.session_key

    after = client.post("/own-login").content.decode()

    assert after != before
    assert dict(client.session).keys() == {"theirs", "ecart_cart_id", "ecart_session_id"}
    assert client.session["ecart_cart_id"] == "user.customer-7"
    assert bought(client) == {"apple": 2}
    new = client.post("/own-logout").content.decode()
    assert dict(client.session) == {"theirs": 1, "ecart_cart_id": new}
    assert bought(client) == {}


def test_sign_in_without_an_engine(client: Client, site: Engine) -> None:
    """The error is the site's to handle, and the session is as it was."""
    visitor = add(client, "apple", 2)
    key = client.session.session_key
    site.kill()
    client.raise_request_exception = False

    assert client.post("/own-login").status_code == 500
    assert (client.session.session_key, dict(client.session)) == (
        key,
        {"ecart_cart_id": visitor["cart_id"]},
    )


async def test_sign_in_on_asgi(site: Engine) -> None:
    """`asign_in` and `asign_out` are the same for views in asyncio."""
    answer = await AsyncClient().post("/own-async")

    assert answer.json() == {"in": "user.customer-7", "out": None}


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/cart", {"cart-token": "new"}),
        ("/carts/user.9/session", {"authorization": "Bearer the key of the back office"}),
    ],
)
def test_who_is_no_visitor_has_no_session_asked_for(
    client: Client, site: Engine, target: str, headers: dict[str, str]
) -> None:
    """Neither a client with a token nor the back office: a cookie that comes along is no matter."""
    add(client, "apple", 2)
    setting = {"REDIS_URL": site.url, "OFFICE_KEYS": ["the key of the back office"]}
    with override_settings(ECART=setting), CaptureQueriesContext(connections["default"]) as asked:
        method = "GET" if target == "/cart" else "POST"
        answer = client.generic(method, target, headers=headers)

        assert answer.status_code == 200
        assert len(asked) == 0
        assert bought(client) == {"apple": 2}
