"""Cookies by the letter of RFC 6265, and who of two answers keeps the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients import INTEGRATIONS
from ecart.http import HttpSettings, Session
from ecart.http.cookies import MOST_TRIED, CookieSettings, cookie_values
from ecart.integrations.cookies import SignedCookie
from ecart.tokens import SignedTokens, TextSigner

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Shop, Shopper
    from engines import Engine

SECRETS = ("a secret of the tests, the first",)
BROWSER = {"sec-fetch-site": "same-origin"}
OLD_BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}
MONTH = 30 * 24 * 3600

BLANKS = ["\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\r", "\n", "\x00"]
"""Bytes that are blank to some parsers, and part of a name or a value to RFC 6265."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


# The header.


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_only_spaces_and_tabs_stand_around_a_name(blank: str) -> None:
    """A host beside ours can set any name but ours."""
    assert list(cookie_values(f"a=1; {blank}ecart=2;\tecart=3 ; ecart{blank}=4", "ecart")) == ["3"]


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", []),
        ("ecart", []),
        ("ecart=", [""]),
        ("ecart=a=b", ["a=b"]),
        ('ecart="a"', ["a"]),
        ("ecart=1; ecart=2", ["1", "2"]),
        ("Ecart=1; ecart2=2; xecart=3", []),
    ],
)
def test_the_values_of_a_name(header: str, values: list[str]) -> None:
    assert list(cookie_values(header, "ecart")) == values


def test_so_many_cookies_of_one_name_are_tried() -> None:
    """The others cost no signature."""
    assert len(list(cookie_values("ecart=1;" * 5000, "ecart"))) == MOST_TRIED


@pytest.mark.parametrize("settings", [{"name": "a b"}, {"name": ""}, {"path": "a"}, {"path": "/;"}])
def test_a_name_and_a_path_that_cannot_be(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="of a cookie"):
        CookieSettings(**settings)


@pytest.mark.parametrize(
    ("path", "is_secure", "begins", "ends"),
    [
        ("/", False, "shop=", "; Path=/"),
        ("/", True, "__Host-shop=", "; Path=/; Secure"),
        ("/a", False, "shop=", "; Path=/a"),
        ("/a", True, "__Secure-shop=", "; Path=/a; Secure"),
    ],
)
def test_name_and_path_are_settings(path: str, is_secure: bool, begins: str, ends: str) -> None:
    """`__Host-` is for the path / alone."""
    cookie = SignedCookie(SECRETS, HttpSettings(cookie=CookieSettings(name="shop", path=path)))

    text = cookie.set_cookie(Session("c"), is_secure)

    assert text.startswith(begins)
    assert text.endswith(ends)
    assert cookie.read(text.partition(";")[0], is_secure) == Session("c")


# The token.


def test_the_first_cookie_that_verifies_counts() -> None:
    """Not the first of that name, which another host may have set."""
    cookie = SignedCookie(SECRETS)
    pair = cookie.set_cookie(Session("mine"), False).partition(";")[0]

    assert cookie.read(f"ecart=forged.x; ecart=; {pair}; ecart=more", False) == Session("mine")


@pytest.mark.parametrize(
    "cart_id", ["user.ü", "user.a;b", 'user."', "user.a b", "user.\x85", "x.y"]
)
def test_a_cookie_holds_any_cart_id(cart_id: str) -> None:
    """In printable ASCII, whatever the user's id is made of."""
    cookie = SignedCookie(SECRETS)
    pair = cookie.set_cookie(Session(cart_id, id="abc"), True).partition(";")[0]

    assert pair.isascii()
    assert pair.isprintable()
    assert cookie.read(pair, True) == Session(cart_id, id="abc")


@pytest.mark.parametrize("cart_id", ["visitor", "user.42"])
def test_a_token_has_an_age(clock: Clock, cart_id: str) -> None:
    """A visitor's lasts a year and a user's a month; it is old when a twelfth of that has gone."""
    tokens = SignedTokens(SECRETS, clock=clock)
    life = MONTH if cart_id == "user.42" else 365 * 24 * 3600
    token = tokens.sign(Session(cart_id))

    assert tokens.read(token) == Session(cart_id)
    clock.now += life / 12
    assert tokens.read(token) == Session(cart_id, is_old=True)
    clock.now += life * 11 / 12 - 1
    assert tokens.read(token) == Session(cart_id, is_old=True)
    clock.now += 1
    assert tokens.read(token) is None


def test_a_token_of_an_earlier_secret_is_old() -> None:
    token = SignedTokens(["the one of before"]).sign(Session("c"))

    assert SignedTokens(["the new one", "the one of before"]).read(token) == Session(
        "c", is_old=True
    )
    assert SignedTokens(["the new one"]).read(token) is None


def test_a_token_of_an_earlier_form_is_old() -> None:
    """It held the cart id alone; a user's all name one session, that a log-out ends."""
    of_before = TextSigner(SECRETS, "ecart.session")
    tokens = SignedTokens(SECRETS)

    visitor, user = tokens.read(of_before.sign("v")), tokens.read(of_before.sign("user.42"))

    assert visitor == Session("v", is_old=True)
    assert user is not None
    assert user.cart_id == "user.42"
    assert user.is_old
    assert user.id
    assert tokens.read(of_before.sign("user.43")) != user


def test_the_signature_names_the_deployment() -> None:
    """Two shops with one secret do not take each other's sessions."""
    shops = [
        SignedTokens(SECRETS, HttpSettings(cookie=CookieSettings(name=name, path=path)))
        for name, path in (("ecart", "/"), ("other", "/"), ("ecart", "/b"))
    ]

    read = [[there.read(here.sign(Session("c"))) for there in shops] for here in shops]

    assert read == [[Session("c") if a is b else None for b in shops] for a in shops]


@pytest.mark.parametrize("from_http", [False, True])
def test_a_shop_moves_to_https(from_http: bool) -> None:
    """Where it says so; else a cookie that anybody on the way could have set counts for nothing."""
    cookie = SignedCookie(SECRETS, HttpSettings(cookie=CookieSettings(from_http=from_http)))
    pair = cookie.set_cookie(Session("c"), False).partition(";")[0]

    assert cookie.read(pair, True) == (Session("c", is_old=True) if from_http else None)


# The answers.

each_integration = pytest.mark.parametrize("shop_class", INTEGRATIONS, indirect=True)
each_with_a_cookie_of_ours = pytest.mark.parametrize(
    "shop_class",
    [one for one in INTEGRATIONS if one.id not in ("flask", "django", "django-async")],
    indirect=True,
)
"""In Flask and Django the session is the framework's."""


@pytest.mark.parametrize("browser", [BROWSER, OLD_BROWSER], ids=["new", "old"])
@pytest.mark.parametrize("path", ["/cart", "/cart/summary"])
def test_a_late_look_does_not_replace_the_cart(
    shopper: Shopper, path: str, browser: dict[str, str]
) -> None:
    """A slow GET and a quick POST of a new visitor: the item stays in reach."""
    looking = shopper.fresh()
    looking.get(path, headers=browser)
    added = shopper.post("/cart/items", json={"sku": "apple"}, headers=browser).json

    shopper.cookies |= looking.cookies  # the answer to the look is the last one to arrive

    assert shopper.get("/cart", headers=browser).json == added


def test_the_first_change_is_made_in_the_cart_that_was_shown(shopper: Shopper) -> None:
    shown = shopper.get("/cart", headers=BROWSER).json

    added = shopper.post("/cart/items", json={"sku": "apple"}, headers=BROWSER)

    assert added.json["cart_id"] == shown["cart_id"]
    assert shopper.shop.cookie in shopper.cookies
    assert shopper.get("/cart", headers=BROWSER).json == added.json
    assert not shopper.get("/cart", headers=BROWSER).set_cookies


def test_a_look_after_the_look_is_at_the_same_cart(shopper: Shopper) -> None:
    first, second = (shopper.get("/cart", headers=BROWSER) for _ in range(2))

    assert first.json == second.json
    assert len(first.set_cookies) == 1
    assert not second.set_cookies


def test_a_client_that_is_no_browser_gets_its_session_at_once(shopper: Shopper) -> None:
    shopper.get("/cart")

    assert list(shopper.cookies) == [shopper.shop.cookie]


@each_with_a_cookie_of_ours
def test_a_view_that_looks_does_not_replace_the_cart(shopper: Shopper) -> None:
    """What an own view has added stays in reach, too."""
    looking = shopper.fresh()
    looking.get("/cart", headers=BROWSER)
    added = shopper.post("/gift", headers=BROWSER)
    cart = shopper.get("/cart", headers=BROWSER).json

    shopper.cookies |= looking.cookies

    assert added.status == 200
    assert cart["total_quantity"] == 1
    assert shopper.get("/cart", headers=BROWSER).json == cart


@pytest.mark.parametrize("header", [BROWSER, {"origin": "http://shop.test"}], ids=["new", "old"])
def test_the_first_change_of_a_browser_counts_as_seen(
    make_shop: Callable[..., Shop], engine: Engine, header: dict[str, str]
) -> None:
    """Its cart lives as long as any; that of a robot that comes once ends early."""
    shop = make_shop(first_ttl=60)
    lives = []
    for headers in (header, {}):
        added = shop.shopper().post("/cart/items", json={"sku": "apple"}, headers=headers)
        with engine.connected() as redis:
            (key,) = redis.keys(f"*{added.json['cart_id']}")
            lives.append(redis.ttl(key))

    assert lives[0] > 600_000
    assert 0 < lives[1] <= 60


@each_with_a_cookie_of_ours
def test_a_cookie_of_before_is_replaced_by_a_change(shopper: Shopper) -> None:
    """Never by a look, whose answer could arrive after a log-in."""
    old = TextSigner(SECRETS, "ecart.session").sign("a-visitor-of-before-22")
    shopper.cookies["ecart"] = old

    assert shopper.get("/cart").json["cart_id"] == "a-visitor-of-before-22"
    assert shopper.cookies["ecart"] == old
    shopper.post("/cart/items", json={"sku": "apple"})

    assert shopper.cookies["ecart"] != old
    assert shopper.get("/cart").json["cart_id"] == "a-visitor-of-before-22"


@each_integration
@pytest.mark.parametrize("user", ["ü", "a;b", 'say "x"', "a b"])
def test_a_user_of_any_name_keeps_the_cart(shopper: Shopper, user: str) -> None:
    shopper.post("/cart/items", json={"sku": "apple"})

    assert shopper.post("/login", json={"user": user}).json["cart_id"] == f"user.{user}"

    cart: Any = shopper.get("/cart").json
    assert (cart["cart_id"], cart["total_quantity"]) == (f"user.{user}", 1)
