"""What a shopper does on the shop page, in a real browser."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from ecart import Cart, RedisStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page, Route

    from engines import Engine
    from serving import Service

OUT_OF_REACH = "Your cart is out of reach for a moment"


def add(page: Page, title: str = "Apple", times: int = 1) -> None:
    for _ in range(times):
        page.get_by_role("button", name=f"Add {title}", exact=True).click()


def open_cart(page: Page) -> None:
    page.get_by_role("link", name=re.compile("^Cart")).click()
    expect(page.get_by_role("dialog", name="Your cart")).to_be_visible()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def badge(page: Page) -> Any:
    return page.locator("#badge")


def quantities(page: Page) -> dict[str, int]:
    """What the open drawer shows."""
    lines = page.locator("#lines > li")
    names = lines.locator(".name").all_text_contents()
    return dict(zip(names, map(int, lines.locator(".count").all_text_contents()), strict=True))


def settled(page: Page) -> None:
    """Waits until every press has been answered."""
    expect(page.locator("#cart")).to_have_attribute("aria-busy", "false")


def stored(page: Page) -> dict[str, int]:
    """What the server has, by SKU."""
    settled(page)
    cart = page.request.get(page.url.partition("#")[0].rstrip("/") + "/cart").json()
    return {item["sku"]: item["quantity"] for item in cart["items"]}


def test_filling_a_cart(page: Page) -> None:
    """Add, look, more, less: the badge, the card and the drawer agree with the server."""
    add(page, "Apple", 2)
    add(page, "Sourdough bread")
    expect(badge(page)).to_have_text("3")
    expect(page.locator('.card[data-sku="apple"]')).to_contain_text("2 in the cart")

    open_cart(page)
    press(page, "One Apple more")
    press(page, "One Sourdough bread more")
    press(page, "One Sourdough bread less")
    settled(page)

    assert quantities(page) == {"Apple": 3, "Sourdough bread": 1}
    assert stored(page) == {"apple": 3, "bread": 1}
    expect(page.locator(".total strong")).to_have_text("$5.70")
    expect(page.locator("#live")).to_have_text("4 in the cart")
    page.reload()
    assert quantities(page) == {"Apple": 3, "Sourdough bread": 1}


def test_an_empty_cart_says_so(page: Page) -> None:
    """And leads back to the shelf."""
    open_cart(page)
    page.get_by_role("link", name="Look at the shelf").click()

    expect(page.get_by_role("dialog")).to_be_hidden()
    add(page)
    open_cart(page)
    expect(page.get_by_text("Nothing in here yet")).to_be_hidden()


def test_removing_and_undoing(page: Page) -> None:
    """What was removed comes back as it was; the last one less removes, too."""
    add(page, "Apple", 3)
    add(page, "Banana")
    open_cart(page)
    press(page, "Remove Apple")
    expect(page.get_by_text("Apple is out of the cart.")).to_be_visible()
    assert stored(page) == {"banana": 1}

    press(page, "Undo")
    assert stored(page) == {"apple": 3, "banana": 1}
    press(page, "One Banana less")
    settled(page)

    assert quantities(page) == {"Apple": 3}
    expect(page.get_by_text("Banana is out of the cart.")).to_be_visible()
    press(page, "Dismiss")
    expect(page.get_by_text("is out of the cart")).to_be_hidden()


def test_checking_out_and_back(page: Page) -> None:
    """While the cart is held nothing in it can be changed; released, it is as before."""
    add(page)
    open_cart(page)
    press(page, "Check out")
    expect(page.get_by_text(re.compile(r"Held for you until \d+:\d\d"))).to_be_visible()
    expect(page.get_by_role("button", name="One Apple more")).to_be_disabled()
    page.keyboard.press("Escape")
    add(page)
    expect(page.get_by_text("The cart is locked by a check-out.")).to_be_visible()

    open_cart(page)
    press(page, "Go on shopping")
    press(page, "One Apple more")

    assert stored(page) == {"apple": 2}


def test_a_hold_runs_out(devices: Any, run_service: Callable[..., Service], engine: Engine) -> None:
    """The page opens the cart again by itself."""
    service = run_service(engine, "--hold", "2")
    context = devices.new()
    page = context.new_page()
    page.goto(service.address)
    add(page)
    open_cart(page)
    press(page, "Check out")
    expect(page.get_by_text("Held for you until")).to_be_visible()

    expect(page.get_by_text("Held for you until")).to_be_hidden()
    press(page, "One Apple more")
    assert stored(page) == {"apple": 2}


def test_a_line_without_a_price_says_so(page: Page, address: str) -> None:
    """The API's message stands at its line, whoever added it."""
    open_cart(page)
    page.request.post(f"{address}/cart/items", data={"sku": "mystery"})

    expect(page.get_by_text("mystery has no price yet")).to_be_visible()


def test_options_are_chosen(
    devices: Any, run_service: Callable[..., Service], engine: Engine, tmp_path: Path
) -> None:
    """Each choice is a line of its own, and keeps its kind."""
    catalog = tmp_path / "catalog.json"
    catalog.write_text(
        '[{"sku": "shirt", "title": "Shirt", "unit_price": "19.90",'
        ' "options": {"size": ["S", "M"], "gift": [false, true]}}]'
    )
    page = devices.new().new_page()
    page.goto(run_service(engine, "--catalog", str(catalog), "--currency", "CHF").address)
    add(page, "Shirt")
    page.get_by_label("size").select_option("M")
    page.get_by_label("gift").select_option("yes")
    add(page, "Shirt", 2)
    open_cart(page)
    settled(page)

    assert page.locator('[data-show="options"]').all_text_contents()[:2] == [
        "gift no, size S",
        "gift yes, size M",
    ]
    assert page.locator("#lines .count").all_text_contents() == ["1", "2"]
    expect(page.locator(".total strong")).to_have_text("59.70\N{NO-BREAK SPACE}CHF")


def test_five_fast_clicks_are_five(page: Page) -> None:
    """Each has a name of its own, is sent when the one before is answered, and shows at once."""
    keys: list[str] = []
    page.on("request", lambda r: r.method == "POST" and keys.append(r.headers["idempotency-key"]))

    shown = page.evaluate("""() => {
        const button = document.querySelector('[data-sku="apple"] button');
        for (let n = 0; n < 5; n++) button.click();
        return document.querySelector("#badge").textContent;
    }""")

    assert shown == "5"
    assert stored(page) == {"apple": 5}
    assert len(set(keys)) == len(keys) == 5
    open_cart(page)
    for _ in range(3):
        page.get_by_role("button", name="One Apple less").click(no_wait_after=True)
    assert stored(page) == {"apple": 2}


def test_five_fast_clicks_in_each_of_two_tabs(page: Page, address: str) -> None:
    """None is lost between them, of more and of less."""
    other = page.context.new_page()
    other.goto(address)
    click = """(name) => {
        const button = document.querySelector(`[aria-label="${name}"]`);
        for (let n = 0; n < 5; n++) button.click();
    }"""
    for tab in (page, other):
        tab.evaluate(click, "Add Apple")
    assert stored(page) and stored(other) == {"apple": 10}
    for tab in (page, other):
        expect(badge(tab)).to_have_text("10")
        open_cart(tab)
    for tab in (page, other):
        tab.evaluate("""() => {
            const button = document.querySelector('[data-do="less"] button');
            for (let n = 0; n < 4; n++) button.click();
        }""")

    assert stored(page) and stored(other) == {"apple": 2}


def test_a_repeat_has_the_same_name(page: Page) -> None:
    """An answer that is lost on the way is asked for again, and the change counts once."""
    keys: list[str] = []
    lost = iter(["lost", "lost", "504"])

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        how = next(lost, "")
        answer = route.fetch()
        if how == "lost":
            route.abort()
        elif how == "504":
            route.fulfill(status=504, body="")
        else:
            route.fulfill(response=answer)

    page.route("**/cart/items", lose)
    add(page)

    expect(page.locator("#trouble")).to_contain_text(OUT_OF_REACH)
    assert stored(page) == {"apple": 1}
    expect(page.locator("#trouble")).to_be_hidden()
    assert (len(keys), len(set(keys))) == (4, 1)


def test_two_tabs_and_two_devices_follow(page: Page, devices: Any, address: str) -> None:
    """What is done in one is seen in the others of the session, within a second or so."""
    tab = page.context.new_page()
    tab.goto(address)
    device: BrowserContext = devices.new()
    device.add_cookies(page.context.cookies())
    phone = device.new_page()
    phone.goto(address)
    stranger = devices.new().new_page()
    stranger.goto(address)

    add(page, "Apple", 2)
    began = time.monotonic()
    expect(badge(tab)).to_have_text("2")
    expect(badge(phone)).to_have_text("2")
    print(f"seen by both after {time.monotonic() - began:.3f} s")

    open_cart(phone)
    press(phone, "Remove Apple")
    expect(badge(page)).to_have_text("0")
    expect(badge(tab)).to_have_text("0")
    expect(badge(stranger)).to_have_text("0")


def test_a_change_of_another_process_is_followed(page: Page, address: str, engine: Engine) -> None:
    """By whatever worker or program it is made."""
    cart_id = page.request.get(f"{address}/cart").json()["cart_id"]
    store = RedisStore(engine.url)

    Cart(cart_id, store).add("tea", 7, unit_price="4.85", title="Green tea, 100 g")
    began = time.monotonic()
    expect(badge(page)).to_have_text("7")
    print(f"seen after {time.monotonic() - began:.2f} s")
    Cart(cart_id, store).destroy()
    expect(badge(page)).to_have_text("0")

    store.close()


def test_a_tab_that_nobody_sees_catches_up(page: Page, address: str) -> None:
    """It holds no stream while it is hidden, and asks when it is seen again."""
    hide = """(is) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => is });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.request.post(f"{address}/cart/items", data={"sku": "apple"})
    page.wait_for_timeout(1500)
    assert badge(page).text_content() == "0"

    page.evaluate(hide, False)
    expect(badge(page)).to_have_text("1")


def test_the_engine_stops_and_comes_back(
    devices: Any, run_service: Callable[..., Service], own_engine: Engine
) -> None:
    """The page says calmly that it waits, keeps what is pressed, and goes on by itself."""
    service = run_service(own_engine)
    page = devices.new().new_page()
    page.goto(service.address)
    add(page)
    assert stored(page) == {"apple": 1}
    own_engine.kill()

    add(page, "Banana", 2)
    expect(page.get_by_text(OUT_OF_REACH)).to_be_visible()
    expect(badge(page)).to_have_text("3")
    own_engine.start()

    expect(page.get_by_text(OUT_OF_REACH)).to_be_hidden()
    assert stored(page) == {"banana": 2}  # the engine of the tests keeps nothing over its end


def test_a_page_opened_while_the_engine_is_away(
    devices: Any, run_service: Callable[..., Service], own_engine: Engine
) -> None:
    """The shelf is there; the cart comes by itself."""
    service = run_service(own_engine)
    own_engine.kill()
    page = devices.new().new_page()
    page.goto(f"{service.address}/#cart")
    expect(page.get_by_text("Your cart is out of reach").first).to_be_visible()
    expect(page.locator(".card")).to_have_count(12)

    own_engine.start()
    expect(page.get_by_text("Nothing in here yet")).to_be_visible()
