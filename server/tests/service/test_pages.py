"""The pages of the service over plain HTTP: their headers, their forms, and who may send them."""

from __future__ import annotations

import gzip
import html
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from clients.service import ServiceShop
from clients.shop import Setup
from ecart_server.app.application import create_app
from ecart_server.rate_limits import Limits, Rate
from ecart_server.settings import ServiceSettings, StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clients.shop import Answer, Shopper
    from engines import Engine

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def make_shop(engine: Engine) -> Iterator[Callable[..., ServiceShop]]:
    """Services on one engine; options are those of `Setup`."""
    made: list[ServiceShop] = []

    def make(**options: Any) -> ServiceShop:
        made.append(ServiceShop(Setup(**{"url": engine.url, **options})))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shopper(make_shop: Callable[..., ServiceShop]) -> Shopper:
    return make_shop().shopper()


def text_of(answer: Answer) -> str:
    return answer.body.decode()


def value_of(page: str, name: str) -> str:
    """The value of the first hidden field of this name."""
    found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


def send(shopper: Shopper, path: str, fields: dict[str, Any], **headers: str | None) -> Answer:
    """Sends a form as the shop page would have it, its proof and mark included."""
    page = text_of(shopper.get("/"))
    proof = {name: value_of(page, name) for name in ("token", "mark")}
    return post(shopper, path, {**proof, **fields}, **headers)


def post(shopper: Shopper, path: str, fields: dict[str, Any], **headers: str | None) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return shopper.post(path, body=urlencode(fields).encode(), headers={**FORM, **named})


def units(shopper: Shopper) -> int:
    found: int = shopper.get("/cart").json["total_quantity"]
    return found


def test_the_page_begins_a_session_and_writes_nothing(shopper: Shopper, engine: Engine) -> None:
    """Whoever looks at the shop leaves no key behind."""
    answer = shopper.get("/")

    assert answer.status == 200
    assert list(shopper.cookies) == ["ecart"]
    assert "Nothing in here yet" in text_of(answer)
    with engine.connected() as client:
        assert client.dbsize() == 0


def test_the_headers_of_the_page(shopper: Shopper) -> None:
    """No inline script or style, nothing from elsewhere, no frame, no cache."""
    headers = shopper.get("/").headers

    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["cache-control"] == "private, no-store"
    assert headers["vary"] == "Cookie"
    assert headers["x-content-type-options"] == "nosniff"
    # With no-referrer, browsers send the forms of the page with `Origin: null`.
    assert headers["referrer-policy"] == "same-origin"


def test_the_page_has_nothing_inline(shopper: Shopper) -> None:
    """Neither script nor style stands in it, which its own policy would refuse."""
    page = text_of(shopper.get("/"))

    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []


def assets_in(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)


def test_assets_are_kept_for_ever(shopper: Shopper) -> None:
    """Their address is of their content; each is answered packed, and known again by its tag."""
    for path in assets_in(text_of(shopper.get("/"))):
        plain = shopper.get(path)
        packed = shopper.get(path, headers={"accept-encoding": "br, gzip"})
        again = shopper.get(path, headers={"if-none-match": plain.headers["etag"]})

        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["vary"] == "Accept-Encoding"
        assert plain.headers["x-content-type-options"] == "nosniff"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert (again.status, again.body) == (304, b"")
        assert shopper.get(path, headers={"accept-encoding": "gzip;q=0"}).body == plain.body
    assert "set-cookie" not in plain.headers


def test_the_script_is_short(shopper: Shopper) -> None:
    """All of it has less than 310 lines; it is our own, and no build made it."""
    scripts = {path for path in assets_in(text_of(shopper.get("/"))) if path.endswith(".js")}

    assert len(scripts) == 5
    assert sum(shopper.get(path).body.count(b"\n") for path in scripts) < 310


def test_no_asset_has_another_version(shopper: Shopper) -> None:
    """What is not of this version is not there: nothing old is kept for ever under a new name."""
    path = assets_in(text_of(shopper.get("/")))[0]

    assert shopper.get(re.sub(r"[0-9a-f]{16}", "0" * 16, path)).code == "not_found"


@pytest.mark.parametrize("path", ["/", "/pictures", "/shop/add"])
def test_other_methods_are_refused(shopper: Shopper, path: str) -> None:
    """With `Allow`; and HEAD is as GET without a body."""
    is_form = path == "/shop/add"
    refused = shopper.request("GET" if is_form else "POST", path)
    asked = shopper.request("OPTIONS", path)
    allowed = "POST, OPTIONS" if is_form else "GET, HEAD, OPTIONS"

    assert (refused.status, refused.code) == (405, "method_not_allowed")
    assert refused.headers["allow"] == asked.headers["allow"] == allowed
    assert asked.status == 204
    if not is_form:
        head = shopper.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert int(head.headers["content-length"]) > 200


def test_adding_by_a_form(shopper: Shopper) -> None:
    """The change is made, and the browser is sent to the page, which shows it."""
    answer = send(shopper, "/shop/add", {"sku": "apple"})

    assert (answer.status, answer.headers["location"]) == (303, "/#cart")
    page = text_of(shopper.get("/"))
    assert "1 in the cart" in page
    assert "$0.50 each" in page


def test_a_form_that_is_sent_twice_counts_once(shopper: Shopper) -> None:
    """Its mark names the change; another page has another mark, another form another name."""
    page = text_of(shopper.get("/"))
    proof = {name: value_of(page, name) for name in ("token", "mark")}

    for sku in ("apple", "apple", "tea"):
        assert post(shopper, "/shop/add", {**proof, "sku": sku}).status == 303
    assert units(shopper) == 2
    send(shopper, "/shop/add", {"sku": "apple"})
    assert units(shopper) == 3


def test_options_keep_their_kind(make_shop: Callable[..., ServiceShop], tmp_path: Path) -> None:
    """What a form chooses is what the catalog offers: 1 is not "1", true is not 1."""
    catalog = tmp_path / "catalog.json"
    catalog.write_text(
        '[{"sku": "mug", "unit_price": "8", "options": {"size": [1, "1"], "lid": [true, null]}}]'
    )
    shopper = make_shop(catalog=catalog).shopper()

    send(shopper, "/shop/add", {"sku": "mug", "option:size": "1", "option:lid": "true"})
    send(shopper, "/shop/add", {"sku": "mug", "option:size": '"1"', "option:lid": "null"})
    send(shopper, "/shop/add", {"sku": "mug", "option:lid": '"\\ud800"'})
    send(shopper, "/shop/add", {"sku": "mug", "option:lid": "[" * 9000})

    chosen = [item["options"] for item in shopper.get("/cart").json["items"]]
    assert chosen == [{"size": 1, "lid": True}, {"size": "1", "lid": None}]
    page = text_of(shopper.get("/"))
    assert "lid yes, size 1" in page
    assert "lid none, size 1" in page


def test_one_less_is_of_what_was_seen(shopper: Shopper) -> None:
    """A page that shows an old cart changes nothing; the new one is shown, with a word."""
    send(shopper, "/shop/add", {"sku": "apple", "quantity": "5"})
    seen = value_of(text_of(shopper.get("/")), "etag")

    assert send(shopper, "/shop/set", {"line_id": "apple", "quantity": "4", "etag": seen})
    assert units(shopper) == 4
    send(shopper, "/shop/set", {"line_id": "apple", "quantity": "3", "etag": seen})

    assert units(shopper) == 4
    assert "The cart has changed meanwhile" in text_of(shopper.get("/"))


def test_removing_can_be_undone(shopper: Shopper) -> None:
    """The next page, and that alone, has a form that puts the line back."""
    send(shopper, "/shop/add", {"sku": "shirt", "quantity": "3", "option:size": '"M"'})
    before = shopper.get("/cart").json["items"]
    page = text_of(shopper.get("/"))
    fields = dict(
        re.findall(
            r'name="([^"]+)" value="([^"]*)"',
            page.split('data-do="remove"')[1].partition("</form>")[0],
        )
    )
    fields = {name: html.unescape(value) for name, value in fields.items()}

    post(shopper, "/shop/remove", fields)
    page = text_of(shopper.get("/"))

    assert units(shopper) == 0
    assert "shirt is out of the cart." in page
    undo = page.split('data-do="undo"')[1].partition("</form>")[0]
    again = {n: html.unescape(v) for n, v in re.findall(r'name="([^"]+)" value="([^"]*)"', undo)}
    assert post(shopper, "/shop/add", again).status == 303
    assert shopper.get("/cart").json["items"] == before
    assert "out of the cart." not in text_of(shopper.get("/"))


def test_checking_out_and_back(shopper: Shopper) -> None:
    """The page tells until when the cart is held, and lets go of it."""
    send(shopper, "/shop/add", {"sku": "apple"})
    send(shopper, "/shop/checkout", {})
    held = text_of(shopper.get("/"))

    assert re.search(r"Held for you until <time[^>]*>\d\d:\d\d UTC</time>", held)
    assert shopper.get("/cart").json["checkout"] is not None
    send(shopper, "/shop/add", {"sku": "apple"})
    assert "The cart is locked by a check-out." in text_of(shopper.get("/"))
    send(shopper, "/shop/release", {})
    assert shopper.get("/cart").json["checkout"] is None


def test_only_what_was_seen_is_checked_out(shopper: Shopper) -> None:
    """A cart that has moved on is not held; the page shows it, with a word."""
    send(shopper, "/shop/add", {"sku": "apple"})
    seen = value_of(text_of(shopper.get("/")), "etag")
    shopper.post("/cart/items", json={"sku": "tea"})

    send(shopper, "/shop/checkout", {"etag": seen})

    assert shopper.get("/cart").json["checkout"] is None
    assert "The cart has changed meanwhile" in text_of(shopper.get("/"))


FORGED = {
    "no token": lambda token, foreign: {},
    "no true token": lambda token, foreign: {
        "token": token[:-1] + ("A" if token[-1] != "A" else "E")
    },
    "another session's": lambda token, foreign: {"token": foreign},
    "the session's cookie": lambda token, foreign: {"token": "cookie"},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_form_changes_nothing(shopper: Shopper, how: str) -> None:
    """Only a page of this session can have made it."""
    token = value_of(text_of(shopper.get("/")), "token")
    foreign = value_of(text_of(shopper.fresh().get("/")), "token")
    proof = FORGED[how](token, foreign)
    if proof.get("token") == "cookie":
        proof = {"token": shopper.cookies["ecart"]}

    answer = post(shopper, "/shop/add", {**proof, "sku": "apple"})

    assert answer.status == 403
    assert "This form is out of date" in text_of(answer)
    assert units(shopper) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://shop.test"}, 303),
        ({"sec_fetch_site": "same-origin", "origin": "null"}, 303),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"origin": "https://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/json"}, 415),
    ],
)
def test_forms_of_other_sites_are_refused(
    shopper: Shopper, headers: dict[str, str], status: int
) -> None:
    """By Fetch Metadata, else by `Origin`, also with a token that is true."""
    answer = send(shopper, "/shop/add", {"sku": "apple"}, **headers)

    assert answer.status == status
    assert units(shopper) == (1 if status == 303 else 0)


def test_a_form_that_is_too_long_is_refused(shopper: Shopper) -> None:
    """As any body of more than 16 KiB."""
    assert send(shopper, "/shop/add", {"sku": "a" * 17_000}).status == 413
    assert send(shopper, "/shop/add", {str(n): "" for n in range(100)}).status == 422


def test_a_note_cannot_be_forged(shopper: Shopper) -> None:
    """Words of others do not get into the page: the cookie is signed, and not by a session's."""
    from base64 import urlsafe_b64encode

    words = urlsafe_b64encode(b'{"text":"You have won"}').decode()
    for value in (words, f"{words}.AAAA", shopper.cookies.get("ecart", "x.y")):
        page = text_of(shopper.get("/", headers={"cookie": f"ecart-note={value}"}))
        assert "You have won" not in page


def test_a_message_is_of_one_session(shopper: Shopper) -> None:
    """Whoever else's browser has the cookie, by whatever way, does not see what a form said."""
    send(shopper, "/shop/add", {"sku": "apple"})
    send(shopper, "/shop/remove", {"line_id": "apple", "sku": "apple", "title": "Foreign words"})
    note = shopper.cookies["ecart-note"]
    other = shopper.fresh()
    other.post("/cart/items", json={"sku": "apple"})
    other.cookies["ecart-note"] = note

    assert "Foreign words" not in text_of(other.get("/"))
    assert "Foreign words" not in text_of(
        shopper.fresh().get("/", headers={"cookie": f"ecart-note={note}"})
    )
    assert "Foreign words is out of the cart" in text_of(shopper.get("/"))


def test_the_cookie_of_a_message_is_secure_on_https(make_shop: Callable[..., ServiceShop]) -> None:
    """With the prefix that no other host can set."""
    shopper = make_shop().shopper(scheme="https")
    send(shopper, "/shop/add", {"sku": "apple"})

    answer = send(shopper, "/shop/remove", {"line_id": "apple", "sku": "apple", "title": "Apple"})

    (cookie,) = answer.set_cookies
    assert cookie.startswith("__Host-ecart-note=")
    assert cookie.endswith("; Path=/; Secure")
    assert "Apple is out of the cart" in text_of(shopper.get("/"))
    assert "ecart-note" not in " ".join(shopper.cookies)


def test_a_page_that_is_late_does_not_replace_the_cart(shopper: Shopper) -> None:
    """The shop page as a first look, beside a change in another tab."""
    browser = {"sec-fetch-site": "none"}
    late = shopper.fresh()
    assert late.get("/", headers=browser).status == 200
    cart = shopper.post("/cart/items", json={"sku": "apple"}).json

    shopper.cookies |= late.cookies

    assert shopper.get("/cart", headers=browser).json == cart
    added = send(late, "/shop/add", {"sku": "banana"}, sec_fetch_site="same-origin")
    assert added.status == 303
    assert units(late) == 1


def test_a_refusal_of_the_api_is_said(shopper: Shopper) -> None:
    """In the words of its problem, once."""
    assert send(shopper, "/shop/add", {"sku": "apple", "quantity": "10000"}).status == 303

    assert "A line holds at most 9999 units." in text_of(shopper.get("/"))
    assert "at most 9999" not in text_of(shopper.get("/"))


def test_the_engine_is_away(make_shop: Callable[..., ServiceShop], own_engine: Engine) -> None:
    """The answer to a form says so calmly, with a button that sends the same change again."""
    shopper = make_shop(url=own_engine.url).shopper()
    page = text_of(shopper.get("/"))
    proof = {name: value_of(page, name) for name in ("token", "mark")}
    own_engine.kill()

    form = post(shopper, "/shop/add", {**proof, "sku": "apple"})
    own_engine.start()
    again = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', text_of(form)))

    assert form.status == 503
    assert "Your cart is out of reach for a moment" in text_of(form)
    assert again == {**proof, "sku": "apple"}
    for _ in range(2):
        assert post(shopper, "/shop/add", again).status == 303
    assert units(shopper) == 1


def test_the_largest_cart(make_shop: Callable[..., ServiceShop]) -> None:
    """What a stranger can make the service render: 500 lines of text that HTML has to escape."""
    shopper = make_shop().shopper()
    options = {f"{number:&>60}": number for number in range(7)}
    for number in range(500):
        item = {"sku": f"sku-{number}", "options": options}
        assert shopper.post("/cart/items", json=item).status == 200
    sizes, seconds = [], []
    for path in ("/cart", "/"):
        began = time.perf_counter()
        sizes.append(len(shopper.get(path).body))
        seconds.append(time.perf_counter() - began)

    print(f"JSON {sizes[0]:,} bytes in {seconds[0]:.3f} s, page {sizes[1]:,} in {seconds[1]:.3f} s")
    assert sizes[0] < 500_000
    assert sizes[1] < 8_000_000


class LimitedShop(ServiceShop):
    @staticmethod
    def build(setup: Setup, store: Any) -> Any:
        limits = Limits(session=Rate(2, 60), session_reads=Rate(5, 60), counts_loopback=True)
        return create_app(
            ServiceSettings(
                secrets=setup.secrets, store=StoreSettings(url=setup.url), limits=limits
            )
        )


def test_forms_are_limited_as_the_api_is(engine: Engine) -> None:
    """Too many are refused, and the page says when to press again."""
    shop = LimitedShop(Setup(url=engine.url))
    shopper = shop.shopper()
    for _ in range(3):
        assert send(shopper, "/shop/add", {"sku": "apple"}).status == 303
    page = text_of(shopper.get("/"))

    assert units(shopper) == 2
    assert re.search(r"Too much at once; try again in \d+ s\.", page)
    while (refused := shopper.get("/")).status == 200:
        pass
    assert (refused.status, refused.headers["retry-after"]) == (429, "12")
    assert "Too much at once; try again in 12 s." in text_of(refused)
    shop.close()


def test_a_catalog_that_cannot_be_read(
    make_shop: Callable[..., ServiceShop], tmp_path: Path
) -> None:
    """The shelf is out of sight; the cart stays."""
    catalog = tmp_path / "catalog.csv"
    catalog.write_text("sku,unit_price\nmug,8.00\n")
    shopper = make_shop(catalog=catalog).shopper()
    send(shopper, "/shop/add", {"sku": "mug"})

    catalog.write_text("nothing,of\nthe,kind\n")
    page = shopper.get("/")

    assert page.status == 200
    assert "The shelf is out of sight for a moment" in text_of(page)
    assert "$8.00 each" in text_of(page)


def test_a_catalog_that_shows_no_list(
    make_shop: Callable[..., ServiceShop], tmp_path: Path
) -> None:
    """A database knows a product when it is asked for one; the page says so, and has the cart."""
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE products (sku TEXT PRIMARY KEY, unit_price TEXT)")
        database.execute("INSERT INTO products VALUES ('mug', '8.00')")
    database.close()
    shopper = make_shop(catalog=f"sqlite:///{tmp_path}/shop.db").shopper()
    shopper.post("/cart/items", json={"sku": "mug"})

    page = text_of(shopper.get("/"))

    assert "This shop shows no list" in page
    assert "$8.00 each" in page


def test_a_long_catalog_comes_in_pages(
    make_shop: Callable[..., ServiceShop], tmp_path: Path
) -> None:
    """Sixty products on each; a number that is none of them gives the nearest."""
    catalog = tmp_path / "catalog.csv"
    catalog.write_text("sku\n" + "".join(f"sku-{n:03}\n" for n in range(130)))
    shopper = make_shop(catalog=catalog).shopper()

    def cards(query: str) -> list[str]:
        return re.findall(r'data-sku="([^"]+)"', text_of(shopper.get(f"/{query}")))

    assert (cards("")[0], cards("")[-1]) == ("sku-000", "sku-059")
    assert (cards("?page=3")[0], cards("?page=3")[-1]) == ("sku-120", "sku-129")
    assert cards("?page=9") == cards("?page=3")
    assert cards("?page=-1") == cards("?page=x") == cards("?page=²") == cards("")


def test_pictures_of_a_catalog(make_shop: Callable[..., ServiceShop], tmp_path: Path) -> None:
    """Those of https are shown, and their origins are all that the policy opens."""
    catalog = tmp_path / "catalog.csv"
    images = ("https://cdn.test/a.png", "http://cdn.test/b.png", "javascript:alert(1)")
    rows = [*images, "https://x.test'; script-src *", "https://img.test:8443/d.png"]
    catalog.write_text("sku,image\n" + "".join(f'p{n},"{row}"\n' for n, row in enumerate(rows)))
    shopper = make_shop(catalog=catalog).shopper()

    answer = shopper.get("/")

    policy = answer.headers["content-security-policy"]
    assert "img-src 'self' https://cdn.test https://img.test:8443;" in policy
    shown = re.findall(r'<li class="card" data-sku="p\d">\s*<img src="([^"]+)"', text_of(answer))
    assert [src.partition("?")[0] for src in shown] == [
        "https://cdn.test/a.png",
        "/pictures",
        "/pictures",
        "/pictures",
        "https://img.test:8443/d.png",
    ]


def test_a_picture_is_always_the_same(shopper: Shopper) -> None:
    """It is drawn from the SKU, shows nothing of its text, and is kept for ever."""
    src = re.findall(r'src="(/pictures[^"]+)"', text_of(shopper.get("/")))[0]
    apple, again = shopper.get(html.unescape(src)), shopper.get(html.unescape(src))
    evil = shopper.get("/pictures?sku=%3Cscript%3Ealert(1)%3C/script%3E")

    assert apple.headers["content-type"] == "image/svg+xml"
    assert apple.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert apple.body == again.body
    assert evil.headers["cache-control"] == "no-cache"
    assert b"script" not in evil.body
    assert evil.headers["content-security-policy"].startswith("default-src 'none'")
    assert evil.body != shopper.get("/pictures?sku=other").body


HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}"
CHOICE = "\"'><img src=x><script>"


def test_hostile_texts_are_escaped(make_shop: Callable[..., ServiceShop], tmp_path: Path) -> None:
    """As SKU, title and option, in the shelf, the cart and the note."""
    import json

    catalog = tmp_path / "catalog.json"
    product = {"sku": HOSTILE, "title": HOSTILE, "options": {CHOICE: [CHOICE]}}
    catalog.write_text(json.dumps([product]))
    shopper = make_shop(catalog=catalog).shopper()
    shopper.post("/cart/items", json={"sku": HOSTILE, "options": {CHOICE: CHOICE}})
    line_id = shopper.get("/cart").json["items"][0]["id"]

    shelf = text_of(shopper.get("/"))
    send(shopper, "/shop/remove", {"line_id": line_id, "title": HOSTILE, "sku": HOSTILE})
    note = text_of(shopper.get("/"))

    for page in (shelf, note):
        assert "<img src=x" not in page
        assert "<script>" not in page
    assert "&lt;script&gt;alert(2)" in note
