"""The operator's view in a real browser: by keyboard, on a phone, in the dark; nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec.structs import replace
from playwright.sync_api import sync_playwright

from ecart import Cart
from ecart_server.cart_index import Bucket, Survey
from engines import missing
from service.operating import KEY, Operator
from serving import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine, Engines

CHROMIUM = Path("/usr/bin/chromium")
EVIL = "\"><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def live(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    url = engines.acquire_for_services().url
    data = tmp_path_factory.mktemp("admin") / "data"
    variables = {"ECART_ADMIN_KEY": KEY, "ECART_REDIS_URL": url}
    service = Service("--admin-write", data_dir=data, env=variables)
    yield service.ready()
    service.end_all()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        missing("no browser (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(params=["wide", "dark phone"])
def page(request: pytest.FixtureRequest, chromium: Any, live: Service) -> Iterator[Any]:
    """A browser in which nobody has logged in yet."""
    options: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
    if request.param == "dark phone":
        options = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    context = chromium.new_context(base_url=live.address, **options)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def filled(engine: Engine) -> None:
    with engine.connected() as client:
        for n in range(30):
            cart = Cart(f"user-{n}", client)
            cart.add("apple", n + 1, unit_price="0.50", title="Apple")
        cart = Cart(EVIL, client)
        cart.add(
            EVIL,
            unit_price="19.90",
            title=EVIL,
            options={EVIL[:60]: EVIL[:60]},
            details={EVIL: EVIL},
        )
        cart.begin_checkout()


def assert_accessible(page: Any) -> None:
    """What axe finds is at most minor, and nothing is wider than the window."""
    found = Axe().run(page).response["violations"]
    grave = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] != "minor"]
    assert grave == []
    widths = "[document.documentElement.scrollWidth, innerWidth]"
    wide, window = page.evaluate(widths)
    assert wide <= window


def test_the_view_by_keyboard(page: Any, engine: Engine) -> None:
    """Log in, look, find a cart, release its check-out, log out: without a mouse."""
    filled(engine)
    page.goto("/admin")
    assert_accessible(page)
    page.keyboard.type(KEY)  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector(".plots")  # the page comes again by itself when carts are counted
    assert page.locator("h1").inner_text() == "Overview"
    assert_accessible(page)

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.focus("#search")
    page.keyboard.type("user-7")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('user-7')")
    assert_accessible(page)

    page.goto("/admin/carts?order=recent")
    assert_accessible(page)
    page.focus("#search")
    page.keyboard.insert_text(EVIL)
    page.keyboard.press("Enter")
    page.locator("text=Release check-out").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Release this check-out?")
    assert_accessible(page)
    page.locator("button:has-text('Release it')").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The check-out was released.")
    page.goto("/admin/engine")
    assert_accessible(page)
    page.locator("text=Log out").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Log in')")


def test_one_cart_of_a_million_is_seen(page: Any, live: Service, engine: Engine) -> None:
    """Its bar, thinner than a hair, is painted; that of no cart is not."""
    sizes = (Bucket(1, 1_000_000), Bucket(2, 1), Bucket(3, 0))
    total = (Bucket(0, 1_000_001),)
    with Operator(live.address) as operator, engine.connected() as client:
        operator.log_in()
        operator.surveyed()
        survey = msgspec.json.decode(client.get("ecart:survey"), type=Survey)
        many = replace(survey, carts=1_000_001, sizes=sizes, values=total, ages=total)
        client.set("ecart:survey", msgspec.json.encode(many), ex=900)
    page.goto("/admin")
    page.fill("#key", KEY)
    page.press("#key", "Enter")
    bars = page.locator("table.bars").first.locator("svg")
    bars.first.wait_for()

    longest, one, none = (painted(bars.nth(n)) for n in range(3))

    room = bars.first.bounding_box()["width"]
    assert longest == pytest.approx(room, abs=1)
    assert 0 < one < 2
    assert none == 0


def painted(drawing: Any) -> float:
    """How many pixels of a drawing its bar covers, in steps of a quarter."""
    drawing.scroll_into_view_if_needed()
    covered: float = drawing.evaluate(
        """svg => {
            const box = svg.getBoundingClientRect(), y = box.top + box.height / 2;
            let steps = 0;
            for (let x = box.left + 0.25; x < box.right; x += 0.25)
                steps += document.elementFromPoint(x, y).tagName == "rect";
            return steps / 4;
        }"""
    )
    return covered


def test_nothing_that_a_cart_holds_runs(page: Any, engine: Engine) -> None:
    """No script, no picture, no dialog; and the page loads nothing from elsewhere."""
    filled(engine)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append("a dialog"))
    page.goto("/admin")
    page.fill("#key", KEY)
    page.press("#key", "Enter")
    page.wait_for_selector(".plots")
    for path in ("/admin/carts?order=recent", "/admin"):
        page.goto(path)
        assert page.locator("main script, main img").count() == 0
        assert page.title() != "run"
    page.goto("/admin/carts?order=recent")
    page.locator("tbody a", has_text="onerror").click()
    page.wait_for_selector("text=Operation records")

    assert page.locator("script, img").count() == 0
    assert page.title() == "Cart · ecart"
    assert "onerror" in page.locator("h1").inner_text()
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {
        page.url.split("/")[2]
    }
