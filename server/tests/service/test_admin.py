"""The operator's view: who gets in, what is refused, and what the forms of others cannot do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import requests
from itsdangerous import TimestampSigner

from ecart import Cart
from ecart.tokens import TextSigner
from ecart_server.admin.access import Access, new_visitor
from service.operating import KEY, Operator, Page, raw, rested
from serving import Service, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines

SECRET = "a secret of the tests that is long enough"
ROUTES = [
    ("GET", "/admin"),
    ("GET", "/admin/"),
    ("GET", "/admin/login"),
    ("POST", "/admin/login"),
    ("POST", "/admin/logout"),
    ("GET", "/admin/carts"),
    ("GET", "/admin/cart?id=user-42"),
    ("GET", "/admin/engine"),
    ("GET", "/admin/cart/purge?id=user-42"),
    ("POST", "/admin/cart/purge"),
    ("GET", "/admin/cart/release?id=user-42"),
    ("POST", "/admin/cart/release"),
]


@pytest.fixture
def engine(engines: Engines) -> Engine:
    """The engine of the service that outlives a test, empty."""
    return engines.acquire_for_services()


@pytest.fixture(scope="module")
def live(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose operators may write, for all tests of this file."""
    url = engines.acquire_for_services().url
    data = tmp_path_factory.mktemp("admin") / "data"
    variables = {"ECART_ADMIN_KEY": KEY, "ECART_SECRET": SECRET, "ECART_REDIS_URL": url}
    service = Service("--admin-write", data_dir=data, env=variables)
    yield service.ready()
    service.end_all()


@pytest.fixture
def operator(live: Service, engine: Engine) -> Iterator[Operator]:
    with Operator(live.address) as operator:
        yield operator
    with engine.connected() as client:
        eventually(lambda: rested(client), 10)


@pytest.fixture
def inside(operator: Operator) -> Operator:
    """An operator who has logged in."""
    assert operator.log_in().status_code == 303
    return operator


def test_without_a_key_there_is_nothing(serve: Callable[..., Service], engine: Engine) -> None:
    """Every route answers as any path that nobody knows, also for who guesses a key."""
    service = serve("--redis-url", engine.url).ready()
    style = "/admin/static/admin.css"
    with requests.Session() as visitor:
        unknown = raw(visitor, service.address, "GET", "/nowhere")
        for method, path in [*ROUTES, ("GET", style)]:
            for headers in ({}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": "Bearer "}):
                answer = raw(visitor, service.address, method, path, headers=headers)
                assert (answer.status_code, answer.json()) == (404, unknown.json()), (method, path)
                assert set(answer.headers) == set(unknown.headers)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--admin-key", "fifteen letters"], "ECART_ADMIN_KEY: the key has 16 characters or more"),
        (["--admin-write"], "--admin-write wants a key: set ECART_ADMIN_KEY"),
    ],
)
def test_a_key_that_will_not_do(
    serve: Callable[..., Service], arguments: list[str], told: str
) -> None:
    """Refused at the start, in one line."""
    said = serve(*arguments).refused()

    assert told in said
    assert "Traceback" not in said


def test_coming_and_going(operator: Operator) -> None:
    """The form, the key, the overview; and after the log-out nothing any more."""
    answer = operator.log_in()

    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("ecart-admin=")
    for attribute in ("HttpOnly", "SameSite=strict", "Path=/admin", "Max-Age=43200"):
        assert attribute in cookie
    page = operator.page()
    assert "Overview" in page.text
    left = operator.send_form("/logout", token=page.value("token"))
    assert (left.status_code, left.headers["Location"]) == (303, "/admin/login")
    again = raw(operator, operator.address, "GET", "/admin")
    assert (again.status_code, again.headers["Location"]) == (303, "/admin/login")


def test_a_copy_of_the_cookie_opens_nothing_after_the_log_out(
    inside: Operator, live: Service, serve: Callable[..., Service], engine: Engine
) -> None:
    """Neither a page nor a form, in this process and in another on the same store."""
    other = serve(
        "--admin-write", "--redis-url", engine.url,
        env={"ECART_ADMIN_KEY": KEY, "ECART_SECRET": SECRET},
    ).ready()  # fmt: skip
    copies = [Operator(live.address), Operator(other.address)]
    for copy in copies:
        copy.cookies.update(inside.cookies)
        token = copy.page().value("token")

    inside.send_form("/logout", token=token)

    for copy in copies:
        seen = raw(copy, copy.address, "GET", "/admin")
        assert (seen.status_code, seen.headers["Location"]) == (303, "/admin/login")
        assert 'name="key"' in raw(copy, copy.address, "GET", "/admin/login").text
        assert copy.send_form("/cart/purge", token=token, id="x").status_code in (401, 403)
        copy.close()


def test_over_https_the_cookie_is_secure(operator: Operator) -> None:
    """As a proxy on this machine tells."""
    operator.headers["X-Forwarded-Proto"] = "https"

    cookie = raw(operator, operator.address, "GET", "/admin/login").headers["Set-Cookie"]

    assert cookie.startswith("__Secure-ecart-admin=")
    assert "Secure" in cookie.split("; ")


WRONG = [KEY[:16], KEY[:-1], KEY + "x", KEY.upper(), "", "x" * 5000, "Grüße an alle \U0001f600"]


@pytest.mark.parametrize("key", WRONG, ids=range(len(WRONG)))
def test_a_wrong_key_opens_nothing(live: Service, key: str) -> None:
    """Neither what the right one begins with, nor what begins with it."""
    with Operator(live.address, f"192.0.3.{WRONG.index(key)}") as operator:
        answer = operator.log_in(key)
        assert answer.status_code == 401
        assert raw(operator, live.address, "GET", "/admin").status_code == 303

        bearer = {"Authorization": f"Bearer {key}".encode()}
        assert raw(operator, live.address, "GET", "/admin", headers=bearer).status_code == 401


def test_a_program_shows_the_key(operator: Operator) -> None:
    """`Authorization: Bearer` opens each page, and leaves no session."""
    headers = {"Authorization": f"Bearer {KEY}"}

    answer = raw(operator, operator.address, "GET", "/admin/carts", headers=headers)

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert raw(operator, operator.address, "GET", "/admin/carts").status_code == 303
    basic = {"Authorization": f"Basic {KEY}"}
    assert raw(operator, operator.address, "GET", "/admin", headers=basic).status_code == 401


def test_guessing_is_slowed_down(live: Service) -> None:
    """After five wrong keys even the right one is refused for a while; not to others."""
    with Operator(live.address, "198.51.100.7") as guesser:
        refused = [guesser.log_in(f"a wrong key, number {n}").status_code for n in range(7)]
        right = guesser.log_in()
        bearer = {"Authorization": f"Bearer {KEY}"}
        by_program = raw(guesser, live.address, "GET", "/admin", headers=bearer)
    with Operator(live.address, "198.51.100.8") as other:
        let_in = other.log_in()

    assert refused == [401] * 5 + [429] * 2
    assert (right.status_code, by_program.status_code) == (429, 429)
    assert 1 <= int(right.headers["Retry-After"]) <= 12
    assert let_in.status_code == 303


# Sessions.


def test_cookies_that_we_did_not_write(operator: Operator) -> None:
    """Not that of a shopper, whatever is in it, and not one that was changed."""
    operator.log_in()
    good = operator.cookies["ecart-admin"]
    kept = good.split(".")
    by_shopper = TextSigner([SECRET], "ecart.session").sign("in.abc")
    timed = TimestampSigner(SECRET, salt="ecart.session", digest_method=hashlib.sha256).sign(
        "in.abc"
    )
    forged = [
        by_shopper,
        timed.decode(),
        "in.abc",
        # The first letter of the signature: of the last one not all bits count.
        ".".join([*kept[:-1], ("A" if kept[-1][0] != "A" else "B") + kept[-1][1:]]),
        ".".join(["in", "other", *kept[2:]]),
        good + "." * 500,
        "",
    ]

    for cookie in forged:
        headers = {"Cookie": f"ecart-admin={cookie}"}
        answer = requests.get(
            f"{operator.address}/admin", headers=headers, allow_redirects=False, timeout=10
        )
        assert answer.status_code == 303, cookie


def test_who_only_saw_the_form_is_not_in(operator: Operator) -> None:
    """The cookie of the log-in form opens no page, though we wrote it."""
    operator.page("/login")

    assert "ecart-admin" in operator.cookies
    assert raw(operator, operator.address, "GET", "/admin").status_code == 303


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After twelve hours, with another key, or when the secret is gone."""
    access, visitor = Access(KEY, [SECRET]), new_visitor(is_logged_in=True)
    cookie = access.cookie_for(visitor)

    assert access.visitor_of(cookie) == visitor
    assert Access(KEY, ["a new secret that signs", SECRET]).visitor_of(cookie) == visitor
    assert Access(KEY + "!", [SECRET]).visitor_of(cookie) is None
    assert Access(KEY, ["another secret of the tests"]).visitor_of(cookie) is None
    now = TimestampSigner.get_timestamp(access._cookies)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now + 12 * 3600 + 2)
    assert access.visitor_of(cookie) is None


def test_every_page_wants_a_session(live: Service, engine: Engine) -> None:
    """Reading leads to the log-in; a form is refused, and nothing happens."""
    with engine.connected() as client:
        Cart("user-42", client).add("apple")
    with requests.Session() as stranger:
        for method, path in ROUTES:
            if "/login" in path:
                continue
            answer = raw(stranger, live.address, method, path, data={"id": "user-42"})
            assert answer.status_code == (303 if method == "GET" else 403), path
            assert "user-42" not in answer.text
    with engine.connected() as client:
        assert Cart("user-42", client).get().total_quantity == 1


# Forms of others.


def test_a_form_without_its_token_is_refused(inside: Operator, live: Service) -> None:
    """None, a wrong one, that of another operator: 403, and the session stays."""
    with Operator(live.address, "192.0.2.9") as other:
        other.log_in()
        foreign = other.page().value("token")
    own = inside.page().value("token")
    assert own != foreign

    for fields in ({}, {"token": ""}, {"token": foreign}, {"token": own[:-1]}):
        for path in ("/logout", "/cart/purge", "/cart/release"):
            assert inside.send_form(path, id="user-42", **fields).status_code == 403
    assert "Overview" in inside.page().text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Origin": "null"}, 303),
        ({}, 303),
    ],
)
def test_a_form_of_another_site_is_refused(
    inside: Operator, headers: dict[str, str], status: int
) -> None:
    """Even with the right token. A page without referrer sends `Origin: null` of itself."""
    inside.headers.update({"Cookie": f"ecart-admin={inside.cookies['ecart-admin']}"})
    token = inside.page().value("token")
    inside.headers.update(headers)

    assert inside.send_form("/logout", token=token).status_code == status


def test_the_log_in_has_a_token_too(operator: Operator, live: Service) -> None:
    """The right key in a form that was not ours opens nothing."""
    operator.page("/login")

    assert operator.send_form("/login", key=KEY).status_code == 403
    with requests.Session() as without_cookie:
        data = {"key": KEY, "token": operator.page("/login").value("token")}
        answer = raw(without_cookie, live.address, "POST", "/admin/login", data=data)
        assert answer.status_code == 403


def test_a_form_that_is_too_long(inside: Operator) -> None:
    """Refused by its length."""
    answer = inside.send_form("/logout", token="x" * 20_000)

    assert answer.status_code == 403


# Writing.


def test_without_leave_to_write_there_is_no_way(
    serve: Callable[..., Service], engine: Engine
) -> None:
    """No button, no page, no effect: also with the right token, also with the key itself."""
    with engine.connected() as client:
        Cart("user-42", client).add("apple")
        checkout = Cart("user-42", client).begin_checkout().checkout_id
    service = serve("--redis-url", engine.url, env={"ECART_ADMIN_KEY": KEY}).ready()
    fields = {"id": "user-42", "checkout": checkout}
    with Operator(service.address) as operator:
        operator.log_in()
        page = operator.page("/cart", id="user-42")
        assert not [link for link in page.links() if "purge" in link or "release" in link]
        token = page.value("token")
        for path in ("/cart/purge", "/cart/release"):
            assert operator.send_form(path, token=token, **fields).status_code == 404
            assert raw(operator, service.address, "GET", f"/admin{path}").status_code == 404
            bearer = {"Authorization": f"Bearer {KEY}"}
            answer = requests.post(
                f"{service.address}/admin{path}", data=fields, headers=bearer, timeout=10
            )
            assert answer.status_code == 404

    with engine.connected() as client:
        assert Cart("user-42", client).get().state == "locked"


def test_a_cart_is_purged(inside: Operator, engine: Engine) -> None:
    """Looking at the confirmation does nothing; the form erases it, and it is not shown again."""
    with engine.connected() as client:
        Cart("user-42", client).add("apple")
    inside.surveyed()
    confirm = inside.page("/cart/purge", id="user-42")
    assert "Purge this cart?" in confirm.text
    with engine.connected() as client:
        assert Cart("user-42", client).get().exists

    answer = inside.send_form(
        "/cart/purge", token=confirm.value("token"), id=_hidden(confirm, "id")
    )

    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin?done=purged")
    with engine.connected() as client:
        assert client.keys("*:cart:*") == []
    page = inside.page("", done="purged")
    assert "The cart was purged." in page.text
    assert "user-42" not in page.text


def _hidden(page: Page, name: str) -> str:
    fields = [a for tag, a in page.elements if tag == "input" and a.get("type") == "hidden"]
    return next(a["value"] or "" for a in fields if a.get("name") == name)


def test_a_check_out_is_released(inside: Operator, engine: Engine) -> None:
    """The one that the page showed, and no later one."""
    with engine.connected() as client:
        cart = Cart("user-42", client)
        cart.add("apple", 3, unit_price="0.5")
        cart.begin_checkout()
    confirm = inside.page("/cart/release", id="user-42")
    fields = {
        "token": confirm.value("token"),
        "id": _hidden(confirm, "id"),
        "checkout": confirm.value("checkout"),
    }

    released = inside.send_form("/cart/release", **fields)

    assert released.status_code == 303
    shown = inside.page(released.headers["Location"].removeprefix("/admin"))
    assert "The check-out was released." in shown.text
    with engine.connected() as client:
        cart = Cart("user-42", client)
        assert (cart.get().state, cart.get().total_quantity) == ("open", 3)
        cart.begin_checkout()
        inside.send_form("/cart/release", **fields)
        assert cart.get().state == "locked"


# What goes along with every answer.


def test_every_answer_is_private(inside: Operator) -> None:
    """Kept by nobody, framed by nobody, sent on to nobody; and no script, no inline style."""
    for path in ["/admin", "/admin/login", "/admin/carts", "/admin/engine", "/admin/cart?id=x",
                 "/admin/nowhere", "/admin/cart/purge?id=x"]:  # fmt: skip
        answer = raw(inside, inside.address, "GET", path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        page = Page(answer.text)
        assert not page.tags & {"script", "style", "iframe", "object"}
        assert not [a for _, a in page.elements for name in a if name.startswith("on")]
        assert not [a for _, a in page.elements if "style" in a]


def test_the_style_is_kept_for_ever(operator: Operator) -> None:
    """Under a name that changes with it; who is not in may have it, for the log-in."""
    page = operator.page("/login")
    path = next(a["href"] or "" for tag, a in page.elements if a.get("rel") == "stylesheet")

    answer = raw(operator, operator.address, "GET", path)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_other_paths_are_the_shops(operator: Operator) -> None:
    """`/administration` is not the view's, and costs nobody a session."""
    answer = raw(operator, operator.address, "GET", "/administration")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_method_that_is_none(inside: Operator) -> None:
    """405 with what is allowed, and HEAD as GET."""
    bearer = {"Authorization": f"Bearer {KEY}"}
    answer = raw(inside, inside.address, "DELETE", "/admin/cart?id=x", headers=bearer)
    head = raw(inside, inside.address, "HEAD", "/admin/carts")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert (head.status_code, head.content) == (200, b"")
