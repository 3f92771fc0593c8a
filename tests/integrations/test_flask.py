"""The cart in a Flask app: what is Flask's own about it. The contract itself is in tests/http."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import flask
import pytest
from flask_session import Session
from flask_wtf.csrf import CSRFProtect
from itsdangerous import URLSafeTimedSerializer

from ecart import AsyncRedisStore, Cart, MemoryStore, RedisStore
from ecart.errors import InvalidPolicyError, StoreUnavailableError
from ecart.integrations.flask import ECart, cart_from, current_cart, sign_in, sign_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

SECRET = "a secret of the tests"


@pytest.fixture
def store(engine: Engine) -> Iterator[RedisStore]:
    opened = RedisStore(engine.url)
    yield opened
    opened.close()


@pytest.fixture
def app(store: RedisStore) -> flask.Flask:
    """A Flask app with a session and an error page of its own."""
    made = flask.Flask("host")
    made.secret_key = SECRET
    made.register_error_handler(404, lambda error: ("my own page", 404))
    made.register_error_handler(422, lambda error: ("my own page", 422))

    @made.get("/visit")
    def visit() -> str:
        flask.session["visits"] = flask.session.get("visits", 0) + 1
        return str(flask.session["visits"])

    ECart(made, store=store)
    return made


def kept_by(client: Any) -> dict[str, Any]:
    with client.session_transaction() as session:
        return dict(session)


def test_cart_session_persists_items_and_id(app: flask.Flask) -> None:
    """The issue's test, as it stands, with Flask's own client."""
    client: Any = app.test_client()

    r1 = client.post("/cart/items", json={"sku": "apple"})
    assert r1.status_code == 200
    cart_id_1 = r1.json["cart_id"]
    r2 = client.post("/cart/items", json={"sku": "banana"})
    assert r2.status_code == 200
    assert cart_id_1 == r2.json["cart_id"]
    r3 = client.get("/cart")
    assert r3.status_code == 200
    assert {item["sku"] for item in r3.json["items"]} == {"apple", "banana"}


def test_the_session_keeps_its_other_keys(app: flask.Flask) -> None:
    """The session holds the cart id beside what the app put there, and nothing more of the cart."""
    client = app.test_client()
    client.get("/visit")

    cart = client.post("/cart/items", json={"sku": "apple"}).json
    client.get("/visit")

    assert cart is not None
    assert kept_by(client) == {"visits": 2, "ecart_cart_id": cart["cart_id"]}


def test_a_session_without_a_cart_stays_without(app: flask.Flask) -> None:
    """Visiting other pages begins none."""
    client = app.test_client()
    client.get("/visit")

    assert kept_by(client) == {"visits": 1}


@pytest.mark.parametrize("kept", [5, None, "", ["x"], {"a": 1}, True])
def test_a_session_that_holds_something_else(app: flask.Flask, kept: Any) -> None:
    """What is no cart id, whoever put it there, is a new session and no error."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["ecart_cart_id"] = kept

    cart = client.get("/cart").json

    assert cart is not None
    assert kept_by(client) == {"ecart_cart_id": cart["cart_id"]}


def test_an_error_page_stays_where_it_is(app: flask.Flask) -> None:
    """The app's pages show on its routes; below `/cart` errors are ours."""
    client = app.test_client()

    assert client.get("/nothing").text == "my own page"
    assert client.get("/cart/nothing").json == {
        "type": "urn:ecart:error:not_found",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "detail": "there is nothing here",
    }
    assert client.post("/cart/items", json={}).mimetype == "application/problem+json"


def test_the_session_is_signed_as_flask_does(app: flask.Flask) -> None:
    """The session cookie is Flask's own; whoever can read that can read ours."""
    client = app.test_client()
    cart = client.get("/cart").json
    cookie = client.get_cookie("session")

    interface: Any = app.session_interface
    serializer: URLSafeTimedSerializer = interface.get_signing_serializer(app)

    assert cart is not None and cookie is not None
    assert serializer.loads(cookie.value) == {"ecart_cart_id": cart["cart_id"]}


def test_the_apps_own_limit_is_ours_too(app: flask.Flask) -> None:
    """A lower MAX_CONTENT_LENGTH of the app holds, and is refused in our words."""
    app.config["MAX_CONTENT_LENGTH"] = 100

    answer = app.test_client().post("/cart/items", json={"sku": "apple", "x": "y" * 200})

    assert answer.status_code == 413
    assert answer.json is not None and answer.json["code"] == "body_too_large"


def test_mounted_below_a_prefix(app: flask.Flask) -> None:
    """Mounted below `/shop`, the cart is at `/shop/cart`."""
    answer = app.test_client().get("/cart", base_url="http://localhost/shop")

    assert answer.status_code == 200


def test_by_an_application_factory(store: RedisStore) -> None:
    """One extension object, made first, serves several apps."""
    ecart = ECart(store=store)
    apps = [flask.Flask(name) for name in ("one", "two")]
    for each in apps:
        each.secret_key = SECRET
        ecart.init_app(each)

    assert [each.test_client().get("/cart").status_code for each in apps] == [200, 200]


def test_by_its_configuration(engine: Engine) -> None:
    """`ECART_REDIS_URL` is enough; the other keys are read too."""
    app = flask.Flask("host")
    app.secret_key = SECRET
    app.config |= {
        "ECART_REDIS_URL": engine.url,
        "ECART_CURRENCY": "EUR",
        "ECART_TTL": 60,
        "ECART_ACCEPT_UNKNOWN_SKUS": False,
    }
    ECart(app)
    client = app.test_client()

    refused = client.post("/cart/items", json={"sku": "unicorn"})
    client.post("/cart/items", json={"sku": "apple"})

    assert refused.json is not None and refused.json["code"] == "unknown_sku"
    with engine.connected() as connection:
        (key,) = connection.keys("*:cart:*")
        assert 55 < connection.ttl(key) <= 60


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("ECART_TTl", "ECART_TTL"),
        ("ECART_CURRENCIES", "ECART_CURRENCY"),
        ("ECART_FIRST_TTL_SECONDS", "ECART_FIRST_TTL"),
        ("ECART_REDIS", "ECART_REDIS_URL"),
        ("ECART_TRUSTED_ORIGIN", "ECART_TRUSTED_ORIGINS"),
    ],
)
def test_a_key_that_is_not_known(key: str, nearest: str) -> None:
    """An error at the start that names it and the nearest that is: a typo sets nothing silently."""
    app = flask.Flask("host")
    app.config[key] = 60

    with pytest.raises(ValueError, match=f"{key} is no key of the cart; did you mean {nearest}"):
        ECart(app, store=MemoryStore())


def test_limits_by_their_names() -> None:
    """Every field of the settings and the rules is a key: limits are those of the deployment."""
    app = flask.Flask("host")
    app.secret_key = SECRET
    app.config |= {"ECART_MAX_QUANTITY": 5, "ECART_MAX_LINES": 1, "ECART_BODY_LIMIT": 100}
    ECart(app, store=MemoryStore())
    client: Any = app.test_client()

    sent = [{"sku": "a", "quantity": 6}, {"sku": "a"}, {"sku": "b"}, {"sku": "a", "x": "y" * 100}]
    codes = [client.post("/cart/items", json=body).json.get("code") for body in sent]

    assert codes == ["quantity_limit_exceeded", None, "line_limit_exceeded", "body_too_large"]


def test_without_a_store() -> None:
    """A clear error at the start; never memory by silence."""
    with pytest.raises(RuntimeError, match="ECART_REDIS_URL"):
        ECart(flask.Flask("host"))


def test_without_a_secret(app: flask.Flask) -> None:
    """A clear error, since no session could be kept."""
    app.secret_key = None
    app.testing = True

    with pytest.raises(RuntimeError, match="secret_key"):
        app.test_client().get("/cart")


def test_tokens_follow_the_apps_keys() -> None:
    """The key may come after the extension; a rotated key is known while it is a fallback."""
    app = flask.Flask("host")
    ECart(app, store=MemoryStore())
    client: Any = app.test_client(use_cookies=False)

    def cart_of(token: str) -> tuple[str, str]:
        answer = client.get("/cart", headers={"Cart-Token": token})
        return answer.json["cart_id"], answer.headers["Cart-Token"]

    app.secret_key = "the first key"
    cart_id, first = cart_of("new")
    app.config |= {"SECRET_KEY": b"the second key", "SECRET_KEY_FALLBACKS": ["the first key"]}
    rotated, second = cart_of(first)
    app.config["SECRET_KEY_FALLBACKS"] = []

    assert (rotated, second != first) == (cart_id, True)
    assert cart_of(second) == (cart_id, second)
    assert cart_of(first)[0] != cart_id


def test_with_an_asyncio_store(engine: Engine) -> None:
    """Refused at the start: a sync app cannot await."""
    with pytest.raises(TypeError, match="not a store"):
        ECart(flask.Flask("host"), store=AsyncRedisStore(engine.url))  # type: ignore[arg-type]


# Views and templates


class Counting(MemoryStore):
    """A memory store that counts what is asked of it."""

    asked = 0

    def execute(self, cart_id: str, operation: Any, /) -> Any:
        self.asked += 1
        return super().execute(cart_id, operation)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def pages(counting: Counting) -> flask.Flask:
    """An app with a page that shows a badge, and one that does not."""
    made = flask.Flask("host")
    made.secret_key = SECRET
    ECart(made, store=counting)
    badge = "{{ current_cart.summary().total_quantity }} in {{ current_cart.cart_id }}"
    made.add_url_rule("/badge", "badge", lambda: flask.render_template_string(badge))
    made.add_url_rule("/plain", "plain", lambda: flask.render_template_string("plain"))
    return made


def test_a_template_shows_the_cart(pages: flask.Flask, counting: Counting) -> None:
    """`current_cart` is there, and is what `/cart` shows."""
    client: Any = pages.test_client()
    cart = client.post("/cart/items", json={"sku": "apple", "quantity": 3}).json
    before = counting.asked

    assert client.get("/badge").text == f"3 in {cart['cart_id']}"
    assert counting.asked == before + 1


def test_a_template_without_the_cart_costs_nothing(pages: flask.Flask, counting: Counting) -> None:
    """No question to the store, no session, no cookie."""
    answer = pages.test_client().get("/plain")

    assert (answer.text, counting.asked) == ("plain", 0)
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers


def test_current_cart_is_the_visitors(pages: flask.Flask) -> None:
    """In each request another cart behind one name, also in an `async def` view."""

    @pages.post("/gift")
    async def gift() -> str:
        current_cart.add("gift", unit_price="0.00")
        return current_cart.cart_id

    one, other = pages.test_client(), pages.test_client()
    ids = [client.post("/gift").text for client in (one, other, one)]

    assert ids[0] == ids[2] != ids[1]
    assert one.get("/badge").text == f"2 in {ids[0]}"
    assert other.get("/badge").text == f"1 in {ids[1]}"


def test_current_cart_outside_a_request(pages: flask.Flask) -> None:
    """Flask's own error; a template without a request is not disturbed."""
    with pages.app_context():
        assert flask.render_template_string("hello") == "hello"
        with pytest.raises(RuntimeError, match="request context"):
            current_cart.get()


def test_an_app_that_was_not_told(app: flask.Flask) -> None:
    """A clear error where the cart of an app without one is asked for."""
    other = flask.Flask("other")
    other.secret_key = SECRET

    with other.test_request_context(), pytest.raises(RuntimeError, match="init_app"):
        cart_from(flask.request)
    with pytest.raises(RuntimeError, match="init_app"):
        other.register_blueprint(ECart(store=MemoryStore()).blueprint())


# The blueprint


def placed(**options: Any) -> flask.Flask:
    """An app whose routes are where the options of `register_blueprint` say."""
    made = flask.Flask("host")
    made.secret_key = SECRET
    made.config["ECART_OFFICE_KEYS"] = ["an office key of the tests"]
    ecart = ECart(made, store=MemoryStore(), register_blueprint=False)
    made.register_blueprint(ecart.blueprint(), **options)
    return made


def test_the_routes_stand_below_a_prefix() -> None:
    """All of them, to the letter of the contract, and nothing at `/cart`."""
    client: Any = placed(url_prefix="/api").test_client()
    office = {"Authorization": "Bearer an office key of the tests"}

    cart = client.post("/api/cart/items", json={"sku": "a/b//c"}).json
    line = client.patch("/api/cart/items/a/b//c", json={"quantity": 2}).json["items"][0]

    assert (line["id"], line["quantity"]) == ("a/b//c", 2)
    assert client.get("/api/cart").json["total_quantity"] == 2
    assert client.get(f"/api/carts/{cart['cart_id']}", headers=office).status_code == 200
    assert [client.get(path).status_code for path in ("/cart", "/carts/x")] == [404, 404]
    assert client.get("/cart").mimetype == "text/html"


@pytest.mark.skipif(version("werkzeug") < "3.1", reason="an older Werkzeug redirects it")
def test_a_doubled_slash_in_front_is_not_guessed() -> None:
    """404 by the app, whose path it is; no redirect."""
    assert placed(url_prefix="/api").test_client().get("/api//cart").status_code == 404


@pytest.mark.parametrize("path", ["/", "/x", "//items", "/items/", "/items%0A", "/summary/"])
def test_odd_paths_below_a_prefix_are_ours(path: str) -> None:
    """404 in the contract's words; nothing is redirected."""
    answer = placed(url_prefix="/api").test_client().get(f"/api/cart{path}")

    assert answer.status_code == 404
    assert answer.json is not None and answer.json["code"] == "not_found"


@pytest.mark.parametrize("method", ["PUT", "TRACE", "PROPFIND", "BREW"])
def test_odd_methods_below_a_prefix_are_ours(method: str) -> None:
    """405 with `Allow`, whatever the method is called."""
    answer = placed(url_prefix="/api").test_client().open("/api/cart", method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")
    assert answer.mimetype == "application/problem+json"


def test_the_blueprint_inside_another() -> None:
    """Below a prefix with a part that is the app's, whose functions run before ours."""
    app = flask.Flask("host")
    app.secret_key = SECRET
    ecart = ECart(app, store=MemoryStore(), register_blueprint=False)
    shops = flask.Blueprint("shops", __name__, url_prefix="/<shop>")
    shops.register_blueprint(ecart.blueprint(url_prefix="/v1"))
    seen: list[str | None] = []
    shops.before_request(lambda: seen.append((flask.request.view_args or {}).get("shop")))
    app.register_blueprint(shops)
    client: Any = app.test_client()

    client.post("/north/v1/cart/items", json={"sku": "apple"})

    assert client.get("/north/v1/cart").json["total_quantity"] == 1
    assert seen == ["north", "north"]
    with app.test_request_context():
        assert flask.url_for("shops.ecart.cart", shop="north") == "/north/v1/cart"


def test_the_endpoint_has_a_name(app: flask.Flask) -> None:
    """For `url_for`, and for the app's own `before_request`."""
    with app.test_request_context("/cart"):
        assert flask.url_for("ecart.cart") == "/cart"
        assert flask.request.blueprint == "ecart"


def test_an_apps_csrf_protection_goes_on(app: flask.Flask) -> None:
    """Forms of the app want their token; the cart, exempt as a blueprint, has its own guard."""
    csrf = CSRFProtect(app)
    csrf.exempt(app.blueprints["ecart"])
    app.add_url_rule("/form", "form", lambda: "sent", methods=["POST"])
    client = app.test_client()

    assert client.post("/form").status_code == 400
    assert client.post("/cart/items", json={"sku": "apple"}).status_code == 200
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert client.delete("/cart", headers=foreign).status_code == 403
    assert client.post("/cart/items", data={"sku": "apple"}).status_code == 415


def test_several_apps_at_once(engine: Engine) -> None:
    """One request's app asks another's: each has its own store, settings and session."""
    apps = {}
    for name in ("one", "two"):
        apps[name] = flask.Flask(name)
        apps[name].secret_key = SECRET + name
        ECart(apps[name], store=MemoryStore(), register_blueprint=name == "one")

    with apps["one"].test_request_context():
        current_cart.add("apple")
        with apps["two"].test_request_context():
            current_cart.add("pear")
            assert [line.sku for line in current_cart.get().lines] == ["pear"]
        assert [line.sku for line in current_cart.get().lines] == ["apple"]
    assert apps["two"].test_client().get("/cart").status_code == 404


# Commands


def run(app: flask.Flask, *arguments: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["ecart", *arguments])
    return done.exit_code, done.output


def test_flask_ecart_ping(app: flask.Flask) -> None:
    """It answers, and says how fast."""
    code, said = run(app, "ping")

    assert (code, said[:17]) == (0, "the store answers")


def test_flask_ecart_ping_without_an_engine(own_engine: Engine) -> None:
    """Exit code 1 and the error's code, no stack trace."""
    app = flask.Flask("host")
    ECart(app, store=RedisStore(own_engine.url, deadline=0.1))
    own_engine.kill()

    code, said = run(app, "ping")

    assert (code, said.rstrip()[-19:]) == (1, "[store_unavailable]")
    assert "Traceback" not in said


def test_flask_ecart_show(app: flask.Flask, store: RedisStore) -> None:
    """The cart as JSON; what is not plain in a title does not reach the terminal."""
    Cart("user.42", store).add("mug", unit_price="7.50", title="Mug \u202e")

    code, said = run(app, "show", "user.42")

    cart = flask.json.loads(said)
    assert (code, cart["subtotal"], cart["items"][0]["title"]) == (0, "7.50", "Mug \u202e")
    assert said.isascii()


@pytest.mark.parametrize(
    ("cart_id", "told"), [("x", "[cart_not_found]"), ("", "[invalid_cart_id]")]
)
def test_flask_ecart_show_of_no_cart(app: flask.Flask, cart_id: str, told: str) -> None:
    """Exit code 1, and the error's code."""
    code, said = run(app, "show", cart_id)

    assert code == 1
    assert told in said


# Log-in and log-out


@pytest.fixture
def shop(app: flask.Flask) -> flask.Flask:
    """`app` with a log-in of its own."""

    @app.post("/login/<user_id>")
    def log_in(user_id: str) -> dict[str, Any]:
        done = sign_in(flask.request, user_id)
        return {"cart_id": done.cart_id, "refused": done.refused}

    @app.post("/logout")
    def log_out() -> str:
        sign_out(flask.request)
        return "bye"

    return app


def skus(client: Any) -> dict[str, int]:
    return {item["sku"]: item["quantity"] for item in client.get("/cart").json["items"]}


def with_cookies_of(client: Any, app: flask.Flask) -> Any:
    """A thief's client, with a copy of the cookie as it is now."""
    thief = app.test_client()
    thief.set_cookie("session", client.get_cookie("session").value)
    return thief


def test_a_log_in_brings_the_cart_along(shop: flask.Flask) -> None:
    """Both carts' items are in the user's, which another device finds too."""
    here, there = shop.test_client(), shop.test_client()
    there.post("/cart/items", json={"sku": "pear"})
    there.post("/login/42")
    here.post("/cart/items", json={"sku": "apple", "quantity": 2})

    done = here.post("/login/42").json

    assert done == {"cart_id": "user.42", "refused": None}
    assert skus(here) == skus(there) == {"pear": 1, "apple": 2}
    assert kept_by(here).keys() == {"ecart_cart_id", "ecart_session_id"}
    assert kept_by(here)["ecart_cart_id"] == "user.42"


def test_a_log_in_again_changes_nothing(shop: flask.Flask) -> None:
    """Neither the cart nor the cookie: it may be called in each request of a user."""
    client = shop.test_client()
    client.post("/cart/items", json={"sku": "apple"})
    client.post("/login/42")

    again = client.post("/login/42")

    assert "Set-Cookie" not in again.headers
    assert skus(client) == {"apple": 1}


def test_a_repeated_log_in_merges_once(shop: flask.Flask) -> None:
    """The same request twice, as by a proxy that got no answer, or at once from two tabs."""
    client = shop.test_client()
    client.post("/cart/items", json={"sku": "apple"})
    tabs = [with_cookies_of(client, shop) for _ in range(8)]
    together = threading.Barrier(8)

    def log_in(tab: Any) -> None:
        together.wait()
        tab.post("/login/42")

    threads = [threading.Thread(target=log_in, args=(tab,)) for tab in tabs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [skus(tab) for tab in tabs] == [{"apple": 1}] * 8


@pytest.mark.parametrize(
    ("policy", "apples"), [("sum", 5), ("max", 3), ("keep_target", 2), ("replace", 3)]
)
def test_the_policy_of_a_log_in(store: RedisStore, policy: str, apples: int) -> None:
    """`ECART_MERGE_POLICY` says what becomes of a line that both carts have."""
    app = flask.Flask("host")
    app.secret_key = SECRET
    app.config["ECART_MERGE_POLICY"] = policy
    ECart(app, store=store)
    Cart("user.42", store).add("apple", quantity=2)

    with app.test_request_context():
        current_cart.add("apple", quantity=3)
        sign_in(flask.request, 42)
        assert current_cart.summary().total_quantity == apples


def test_a_policy_that_is_none() -> None:
    """Refused at the start."""
    app = flask.Flask("host")
    app.config["ECART_MERGE_POLICY"] = "most"

    with pytest.raises(InvalidPolicyError):
        ECart(app, store=MemoryStore())


def test_another_users_cart_is_not_brought_along(shop: flask.Flask) -> None:
    """Who takes a seat where somebody has not logged out finds the own cart, and leaves theirs."""
    client, there = shop.test_client(), shop.test_client()
    client.post("/login/41")
    client.post("/cart/items", json={"sku": "apple"})

    client.post("/login/42")
    there.post("/login/41")

    assert (skus(client), skus(there)) == ({}, {"apple": 1})


def test_a_cart_that_cannot_be_merged(shop: flask.Flask, store: RedisStore) -> None:
    """The log-in succeeds, says why, and leaves the visitor's cart where it was."""
    Cart("user.42", store, currency="EUR").add("pear", unit_price="1.00")
    client: Any = shop.test_client()
    visitor_id = client.post("/cart/items", json={"sku": "apple"}).json["cart_id"]

    done = client.post("/login/42").json

    assert done == {"cart_id": "user.42", "refused": "currency_mismatch"}
    assert skus(client) == {"pear": 1}
    assert Cart(visitor_id, store).contains("apple")


def test_a_log_in_without_an_engine(own_engine: Engine) -> None:
    """The error reaches the app, the session stays, and the next try brings the cart along."""
    app = flask.Flask("host")
    app.secret_key = SECRET
    ECart(app, store=RedisStore(own_engine.url, deadline=0.1))

    with app.test_request_context():
        current_cart.add("apple")
        visitor_id = current_cart.cart_id
        own_engine.kill()
        with pytest.raises(StoreUnavailableError):
            sign_in(flask.request, 42)
        assert flask.session["ecart_cart_id"] == visitor_id


def test_a_log_out_leaves_no_way_to_the_users_cart(shop: flask.Flask) -> None:
    """The next request of this browser begins a new one; the app's own keys stay."""
    client: Any = shop.test_client()
    client.get("/visit")
    client.post("/login/42")
    client.post("/cart/items", json={"sku": "apple"})

    client.post("/logout")

    assert kept_by(client) == {"visits": 1}
    assert skus(client) == {}
    assert client.get("/cart").json["cart_id"] != "user.42"


def test_a_cookie_from_before_the_log_in_opens_nothing(shop: flask.Flask) -> None:
    """Whoever planted or copied it sees an empty cart, and can put nothing into the user's."""
    victim = shop.test_client()
    victim.post("/cart/items", json={"sku": "apple"})
    thief = with_cookies_of(victim, shop)
    victim.post("/login/42")

    refused = thief.post("/cart/items", json={"sku": "bomb"})

    assert skus(thief) == {}
    assert (refused.status_code, refused.json["code"]) == (409, "cart_merged")
    assert skus(victim) == {"apple": 1}


def test_a_copy_of_the_cookie_opens_nothing_after_the_log_out(shop: flask.Flask) -> None:
    """Flask cannot take back its cookie; but the session in it has ended, for every process."""
    victim = shop.test_client()
    victim.post("/login/42")
    victim.post("/cart/items", json={"sku": "apple"})
    thief = with_cookies_of(victim, shop)

    assert skus(thief) == {"apple": 1}

    victim.post("/logout")

    assert skus(thief) == {}
    victim.post("/login/42")
    assert skus(victim) == {"apple": 1}
    assert skus(thief) == {}


@pytest.fixture
def keeper(shop: flask.Flask, engine: Engine) -> Iterator[flask.Flask]:
    """`shop` with its sessions on the server, by Flask-Session."""
    with engine.connected() as client:
        shop.config |= {"SESSION_TYPE": "redis", "SESSION_REDIS": client}
        Session(shop)
        yield shop
        client.delete(*client.keys("session:*"))


def test_sessions_on_the_server(keeper: flask.Flask) -> None:
    """The log-in gives the session another key, and keeps what the app has put there."""
    client: Any = keeper.test_client()
    client.get("/visit")
    client.post("/cart/items", json={"sku": "apple"})
    before = client.get_cookie("session").value

    client.post("/login/42")

    assert client.get_cookie("session").value != before
    assert client.get("/visit").text == "2"
    assert skus(client) == {"apple": 1}


@pytest.mark.parametrize("moment", ["before", "during"])
def test_a_copied_key_of_a_session_on_the_server(keeper: flask.Flask, moment: str) -> None:
    """From before the log-in it opens nothing, from during it nothing after the log-out."""
    victim: Any = keeper.test_client()
    victim.post("/cart/items", json={"sku": "apple"})
    if moment == "before":
        thief = with_cookies_of(victim, keeper)
        victim.post("/login/42")
    else:
        victim.post("/login/42")
        thief = with_cookies_of(victim, keeper)
        victim.post("/logout")

    assert skus(thief) == {}
    assert thief.get("/cart").json["cart_id"] != "user.42"
    assert thief.get("/visit").text == "1"
