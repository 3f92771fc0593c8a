"""What is Django's own: the setting, the lazy cart, the badge, the checks, the rest of a site."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.http import HttpRequest, HttpResponse
from django.template import engines as template_engines
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import include, path, resolve, reverse

from clients.django import MIDDLEWARE
from ecart import Cart, MemoryStore, RedisStore
from ecart.catalog import MappingCatalog, Product
from ecart.integrations.django.middleware import CartMiddleware
from ecart.integrations.django.state import async_host, host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from engines import Engine

CART = "ecart.integrations.django.middleware.CartMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
HEADER = template_engines["django"].from_string(
    "{% load ecart %}{% if show %}{% cart_badge %}{% endif %}"
)
PROCESSED = template_engines["django"].from_string("{{ cart.line_count }} {{ cart.subtotal }}")


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("plain")


def units(request: Any) -> HttpResponse:
    return HttpResponse(f"{request.cart.summary().total_quantity} {isinstance(request.cart, Cart)}")


async def async_units(request: Any) -> HttpResponse:
    cart = await request.acart()
    return HttpResponse(f"{(await cart.summary()).total_quantity}")


def header(request: HttpRequest) -> HttpResponse:
    return HttpResponse(HEADER.render({"show": "show" in request.GET}, request))


def processed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PROCESSED.render({}, request))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse("my own page", status=404)


class Urls:
    """The site of these tests."""

    handler404 = staticmethod(not_found)
    urlpatterns = (
        path("plain/", plain),
        path("units/", units),
        path("async-units/", async_units),
        path("header/", header),
        path("processed/", processed),
        path("", include("ecart.integrations.django.urls")),
        path("shops/<slug:shop>/", include("ecart.integrations.django.urls", namespace="other")),
        path("carts/theirs/", plain),
    )


@pytest.fixture
def site(engine: Engine) -> Iterator[dict[str, Any]]:
    """Settings that are in force, on an engine."""
    setting = {"REDIS_URL": engine.url}
    with override_settings(ECART=setting, ROOT_URLCONF=Urls):
        yield setting
        host().store.close()  # type: ignore[attr-defined]


@pytest.fixture
def client(site: object) -> Client:
    return Client()


@pytest.fixture
async def async_client(site: object) -> AsyncIterator[AsyncClient]:
    yield AsyncClient()
    await async_host().store.close()  # type: ignore[attr-defined]


def add(client: Client, sku: str = "apple", **fields: Any) -> Any:
    return client.post("/cart/items", {"sku": sku, **fields}, content_type="application/json")


def commands_of(engine: Engine) -> int:
    """How many commands the engine has done, but for those that a test's own client sends."""
    with engine.connected() as connection:
        counts = connection.info("commandstats")
    own = ("cmdstat_client", "cmdstat_hello", "cmdstat_info", "cmdstat_keys", "cmdstat_flushall")
    return sum(count["calls"] for name, count in counts.items() if not name.startswith(own))


def hasty(engine: Engine) -> RedisStore:
    """A store that gives up soon."""
    return RedisStore(engine.url, deadline=0.2)


# The session test, as the issue has it.


@pytest.mark.parametrize("backend", ["db", "cache", "cached_db", "file", "signed_cookies"])
def test_cart_session_persists_items_and_id(client: Client, tables: None, backend: str) -> None:
    """With Django's own client, and sessions of every backend."""
    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{backend}"):
        r1 = client.post("/cart/items", {"sku": "apple"}, content_type="application/json")
        assert r1.status_code == 200
        cart_id_1 = r1.json()["cart_id"]
        r2 = client.post("/cart/items", {"sku": "banana"}, content_type="application/json")
        assert r2.status_code == 200
        assert cart_id_1 == r2.json()["cart_id"]
        r3 = client.get("/cart")
        assert r3.status_code == 200
        assert {item["sku"] for item in r3.json()["items"]} == {"apple", "banana"}
        assert dict(client.session) == {"ecart_cart_id": cart_id_1}


async def test_cart_session_on_asgi(async_client: AsyncClient, tables: None) -> None:
    """With Django's asyncio client, and sessions in the database."""
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
        options: Any = {"content_type": "application/json"}
        one = await async_client.post("/cart/items", {"sku": "apple"}, **options)
        two = await async_client.post("/cart/items", {"sku": "banana"}, **options)

        assert [item["sku"] for item in two.json()["items"]] == ["apple", "banana"]
        assert one.json()["cart_id"] == two.json()["cart_id"]
        assert (await async_client.get("/async-units/")).content == b"2"


# The setting


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({}, "REDIS_URL, or STORE"),
        ({"STORE": None}, "REDIS_URL, or STORE"),
        ([], "Expected `object`"),
        ({"REDIS_URL": "localhost:6379"}, "begins with redis://"),
        ({"REDIS_URL": 6379}, "`$.REDIS_URL`"),
        ({"REDIS": "redis://localhost"}, "unknown field `REDIS`"),
        ({"redis_url": "redis://localhost"}, "unknown field `redis_url`"),
        ({"STORE": "ecart.NoStore"}, "NoStore"),
        ({"STORE": "nowhere.at_all"}, "nowhere"),
        ({"STORE": object()}, "is not a store"),
        ({"STORE": MemoryStore(), "ASYNC_STORE": MemoryStore()}, "asyncio store"),
        ({"STORE": MemoryStore(), "CATALOG": "nowhere.at_all"}, "nowhere"),
        ({"STORE": MemoryStore(), "TTL": 0}, "1 second"),
        ({"STORE": MemoryStore(), "TTL": "60"}, "`$.TTL`"),
        ({"STORE": MemoryStore(), "CURRENCY": "DOLLAR"}, "three capital letters"),
        ({"STORE": MemoryStore(), "ACCEPT_UNKNOWN_SKUS": "no"}, "`$.ACCEPT_UNKNOWN_SKUS`"),
        ({"STORE": MemoryStore(), "TRUSTED_ORIGINS": "https://a"}, "`$.TRUSTED_ORIGINS`"),
        ({"STORE": MemoryStore(), "HOLD": 0}, "1 second"),
        ({"STORE": MemoryStore(), "MERGE_POLICY": "most"}, "`$.MERGE_POLICY`"),
        ({"STORE": MemoryStore(), "OFFICE_KEYS": ["short"]}, "16 characters"),
    ],
    ids=range(20),
)
def test_a_setting_that_cannot_work(setting: Any, told: str) -> None:
    """Is an error that says so, of `manage.py check` and of the first request."""
    with override_settings(ECART=setting):
        with pytest.raises(ImproperlyConfigured, match="ECART: ") as raised:
            host()
        (error,) = [message for message in run_checks() if message.id == "ecart.E001"]

    assert told in str(raised.value)
    assert error.msg == str(raised.value)


def test_the_setting_is_used(client: Client, site: dict[str, Any], engine: Engine) -> None:
    """Time to live, currency, catalog, unknown SKUs and keys are what the setting says."""
    key = "the key of the back office"
    with override_settings(
        ECART=site
        | {
            "TTL": 60,
            "CURRENCY": "EUR",
            "ACCEPT_UNKNOWN_SKUS": False,
            "OFFICE_KEYS": [key],
        }
    ):
        refused = add(client, "unicorn")
        cart = add(client).json()
        office = client.get(f"/carts/{cart['cart_id']}", headers={"authorization": f"Bearer {key}"})

    assert refused.json()["code"] == "unknown_sku"
    assert cart["currency"] == "EUR"
    assert office.json() == cart
    with engine.connected() as connection:
        (name,) = connection.keys("*:cart:*")
        assert 55 < connection.ttl(name) <= 60


def test_limits_by_their_names() -> None:
    """Every field of the settings and the rules is a key: limits are those of the deployment."""
    limits = {"MAX_QUANTITY": 5, "MAX_LINES": 1, "BODY_LIMIT": 100}
    with override_settings(ECART={"STORE": "ecart.MemoryStore", **limits}, ROOT_URLCONF=Urls):
        client = Client()
        answers = [
            add(client, "a", quantity=6),
            add(client, "a"),
            add(client, "b"),
            add(client, "a", x="y" * 100),
        ]

    assert [answer.json().get("code") for answer in answers] == [
        "quantity_limit_exceeded", None, "line_limit_exceeded", "body_too_large",
    ]  # fmt: skip


class Groceries(MappingCatalog):
    """A catalog that is named by its path."""

    def __init__(self) -> None:
        super().__init__([Product(sku="fig", unit_price="1.25")])  # type: ignore[arg-type]


def look_up(skus: Any) -> Any:
    return Groceries().lookup(skus)


@pytest.mark.parametrize("name", ["Groceries", "look_up"])
def test_dotted_paths(name: str) -> None:
    """A store and a catalog may be named as Django names things: a class is made, once."""
    setting = {"STORE": "ecart.MemoryStore", "CATALOG": f"{__name__}.{name}"}
    sys.modules.setdefault(__name__, sys.modules[Groceries.__module__])
    with override_settings(ECART=setting, ROOT_URLCONF=Urls):
        client = Client()

        cart = add(client, "fig").json()
        unknown = add(client, "apple").json()

        assert cart["items"][0]["unit_price"] == "1.25"
        assert unknown["code"] == "unknown_sku"


async def test_a_memory_store_is_that_of_asyncio_too() -> None:
    """Tests name one store, and both kinds of views find the same carts there."""
    with override_settings(ECART={"STORE": "ecart.MemoryStore"}, ROOT_URLCONF=Urls):
        client = AsyncClient()
        await client.post("/cart/items", {"sku": "apple"}, content_type="application/json")

        assert (await client.get("/async-units/")).content == b"1"
        assert (await client.get("/units/")).content == b"1 True"


# The middleware


def test_the_middleware_is_as_what_comes_after_it() -> None:
    """Sync before sync and async before async: no change of threads on its account."""

    async def get_response(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(CartMiddleware(get_response))
    assert not iscoroutinefunction(CartMiddleware(plain))


def test_a_page_without_the_cart_costs_nothing(client: Client, engine: Engine) -> None:
    """No command, no session, no cookie, no header."""
    before = commands_of(engine)
    answer = client.get("/plain/")

    assert commands_of(engine) == before
    assert (answer.content, dict(answer.cookies)) == (b"plain", {})
    assert answer["Vary"] == "Accept-Language"


def test_request_cart_is_the_visitors(client: Client) -> None:
    """It is a `Cart`, and that which `/cart` shows; a view begins a session, too."""
    other = Client()
    add(client, quantity=3)

    assert client.get("/units/").content == b"3 True"
    assert other.get("/units/").content == b"0 True"
    assert list(other.session.keys()) == ["ecart_cart_id"]


@pytest.mark.parametrize("kept", [5, None, "", ["x"], {"a": 1}, True])
def test_a_session_that_holds_something_else(client: Client, tables: None, kept: Any) -> None:
    """What is no cart id, whoever put it there, is a new session and no error."""
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
        session = client.session
        session["ecart_cart_id"] = kept
        session.save()
        assert session.session_key is not None
        client.cookies["sessionid"] = session.session_key

        cart = client.get("/cart").json()

        assert client.session["ecart_cart_id"] == cart["cart_id"]


def test_without_sessions() -> None:
    """A clear error, as that of Django's own middleware."""
    with pytest.raises(ImproperlyConfigured, match="SessionMiddleware"):
        CartMiddleware(plain)(RequestFactory().get("/"))


# Sync and async


def view_of(path: str) -> Any:
    return resolve(path).func


async def test_the_server_decides_which_view_answers(site: object) -> None:
    """In an event loop the async one, elsewhere the other: no server runs the wrong one."""
    assert iscoroutinefunction(view_of("/cart"))
    assert not iscoroutinefunction(await asyncio.to_thread(view_of, "/cart"))


async def test_a_catalog_is_asked_in_djangos_thread(async_client: AsyncClient) -> None:
    """There its database connections are looked after; one that is async is awaited."""
    asked_in = []

    def sync(skus: Any) -> Any:
        asked_in.append(threading.get_ident())
        return Groceries().lookup(skus)

    async def own(skus: Any) -> Any:
        return Groceries().lookup(skus)

    for catalog in (sync, own):
        with override_settings(ECART={"STORE": "ecart.MemoryStore", "CATALOG": catalog}):
            answer = await async_client.post(
                "/cart/items", {"sku": "fig"}, content_type="application/json"
            )
            assert answer.json()["items"][0]["unit_price"] == "1.25"
    assert asked_in == [await sync_to_async(threading.get_ident)()]


# The badge


def test_the_badge(client: Client) -> None:
    """Units and their sum; from the tag, and by the context processor."""
    add(client, quantity=3)

    assert client.get("/header/?show").content == b'<span class="ecart-badge">3, 1.50 USD</span>\n'
    assert client.get("/processed/").content == b"1 1.50"


def test_the_badge_of_somebody_without_a_cart(client: Client, engine: Engine) -> None:
    """Says 0, asks nobody, and begins no session."""
    before = commands_of(engine)
    answer = client.get("/header/?show")

    assert answer.content == b'<span class="ecart-badge">0, 0.00 USD</span>\n'
    assert dict(answer.cookies) == {}
    assert commands_of(engine) == before


def test_a_badge_that_is_not_rendered_costs_nothing(client: Client, engine: Engine) -> None:
    """Neither the tag nor the context processor asks before it must; rendered, it asks once."""
    add(client)
    before = commands_of(engine)
    client.get("/header/")
    between = commands_of(engine)
    client.get("/processed/")

    assert between == before
    assert commands_of(engine) == between + 1


def test_a_page_does_not_fail_for_its_badge(
    site: dict[str, Any], own_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an engine the badge is empty, which is not 0, and the log says why."""
    with override_settings(ECART={"STORE": hasty(own_engine)}):
        client = Client()
        add(client)
        own_engine.kill()
        with caplog.at_level(logging.WARNING, "ecart.django"):
            answer = client.get("/header/?show")

    assert (answer.status_code, answer.content) == (200, b'<span class="ecart-badge"></span>\n')
    assert "the badge is empty" in caplog.text


# Checks


def found(**options: Any) -> list[str]:
    """The ids of what `manage.py check` says of carts."""
    return [m.id for m in run_checks(**options) if m.id and m.id.startswith("ecart.")]


@pytest.mark.parametrize(
    ("middleware", "ids"),
    [
        (MIDDLEWARE, []),
        ([SESSIONS, CART], []),
        ([CART, SESSIONS], ["ecart.E002"]),
        ([CART], ["ecart.E002"]),
        ([SESSIONS], ["ecart.W001"]),
    ],
)
def test_the_order_of_middleware_is_checked(
    site: object, middleware: list[str], ids: list[str]
) -> None:
    """The cart comes after the sessions that it is kept in."""
    with override_settings(MIDDLEWARE=middleware):
        assert found() == ids


def test_the_engine_is_asked_where_databases_are(own_engine: Engine) -> None:
    """`check` needs no engine, `check --database default` and `migrate` warn of one that is not."""
    with override_settings(ECART={"STORE": hasty(own_engine)}):
        assert found(databases=["default"]) == []
        own_engine.kill()

        assert found() == []
        assert found(databases=["default"]) == ["ecart.W002"]
        assert found(tags=["ecart"], databases=["default"]) == ["ecart.W002"]


# The command


def test_manage_py_ecart(client: Client, engine: Engine) -> None:
    """`show` shows a cart as the HTTP API does, in ASCII; `ping` asks the engine."""
    cart = add(client, "süß").json()
    shown, pinged = io.StringIO(), io.StringIO()

    call_command("ecart", "show", "--", cart["cart_id"], stdout=shown)
    call_command("ecart", "ping", stdout=pinged)

    assert shown.getvalue().isascii()
    assert json.loads(shown.getvalue()) == cart
    assert pinged.getvalue().startswith("the store answers, in ")
    with pytest.raises(CommandError, match=r"there is no cart 'nobody' \[cart_not_found\]"):
        call_command("ecart", "show", "nobody")


def test_manage_py_ecart_without_an_engine(own_engine: Engine) -> None:
    """One line with the code, and exit code 1."""
    with override_settings(ECART={"STORE": hasty(own_engine)}):
        own_engine.kill()
        with pytest.raises(CommandError, match=r"\[store_unavailable\]"):
            call_command("ecart", "ping")


# The rest of the site


def test_djangos_csrf_protection_is_untouched(site: object) -> None:
    """A form of the site still needs its token; the cart's routes have a check of their own."""
    client = Client(enforce_csrf_checks=True)

    form = client.post("/plain/")
    mine = add(client)
    foreign = client.post(
        "/cart/items",
        {"sku": "apple"},
        content_type="application/json",
        headers={"origin": "https://evil.example"},
    )

    assert (form.status_code, mine.status_code, foreign.status_code) == (403, 200, 403)
    assert b"urn:ecart" not in form.content
    assert foreign.json()["code"] == "cross_site_request"


def test_error_pages_stay_where_they_are(client: Client) -> None:
    """The site's pages show on its routes; below `/cart` errors are ours, slashes or not."""
    assert client.get("/nothing/").content == b"my own page"
    assert client.get("/carts/nobody").content == b"my own page"
    assert client.get("/carts/theirs/").content == b"plain"
    assert client.get("/plain").status_code == 301  # APPEND_SLASH
    for target in ("/cart/", "/cart/nothing", "/cart/nothing/", "/cart//", "/cart/%0A"):
        answer = client.get(target)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    refused = client.put("/cart")
    assert (refused.status_code, refused["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")


def test_below_a_prefix(client: Client) -> None:
    """Included below a path, also one with a name in it, the cart is there, and can be reversed."""
    add(client)

    assert client.get("/shops/one/cart/summary").json()["total_quantity"] == 1
    assert client.get("/shops/one/cart/nothing").json()["code"] == "not_found"
    assert reverse("ecart:api", args=["cart/items"]) == "/cart/items"
    assert client.get("/cart", SCRIPT_NAME="/mounted").status_code == 200


def test_djangos_limit_on_bodies_is_not_ours(client: Client) -> None:
    """A body beyond DATA_UPLOAD_MAX_MEMORY_SIZE is refused by the contract, or taken."""
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        assert add(client).status_code == 200
        assert add(client, "x" * 20_000).json()["code"] == "body_too_large"


def test_answers_are_not_compressed(client: Client) -> None:
    """A compressed cart would have a weak ETag, with which `If-Match` can never agree."""
    headers = {"accept-encoding": "gzip"}
    tag = client.get("/cart", headers=headers)["ETag"]

    answer = client.delete("/cart", headers={**headers, "if-match": tag})

    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
    assert not tag.startswith("W/")


def test_the_host_behind_a_proxy(client: Client) -> None:
    """With USE_X_FORWARDED_HOST the origin of a page is compared with the host that it saw."""
    headers = {"origin": "https://shop.test", "x-forwarded-host": "shop.test"}
    options: Any = {"content_type": "application/json", "headers": headers}

    refused = client.post("/cart/items", {"sku": "apple"}, **options)
    with override_settings(USE_X_FORWARDED_HOST=True):
        taken = client.post("/cart/items", {"sku": "apple"}, **options)

    assert (refused.status_code, taken.status_code) == (403, 200)


async def test_transactions_of_requests(async_client: AsyncClient) -> None:
    """ATOMIC_REQUESTS, which no async view can have, does not keep the cart from answering."""
    from django.db import connections

    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    try:
        answer = await async_client.get("/cart")
    finally:
        connections.settings["default"]["ATOMIC_REQUESTS"] = False

    assert answer.status_code == 200
