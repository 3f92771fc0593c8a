"""The shop page for those without a mouse, a wide screen, good light, or JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser.conftest import opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"viewport": {"width": 375, "height": 760}, "has_touch": True, "is_mobile": True}


def focused(page: Page) -> str:
    """The name of what has the focus."""
    found: str = page.evaluate(
        """() => {
            const at = document.activeElement;
            if (at.localName === "body") return "nothing";
            if (at.id === "cart") return "the drawer";
            return at.ariaLabel ?? at.innerText.trim().replace(/\\s+/g, " ");
        }"""
    )
    return found


def tab(page: Page, times: int = 1) -> list[str]:
    """What gets the focus, one after another."""
    order = []
    for _ in range(times):
        page.keyboard.press("Tab")
        order.append(focused(page))
    return order


def filled(page: Page, address: str) -> None:
    """Puts things into the session's cart."""
    for sku, quantity in (("apple", 2), ("bread", 1), ("mystery", 1)):
        page.request.post(f"{address}/cart/items", data={"sku": sku, "quantity": quantity})
    page.reload()


def test_by_keyboard_alone(page: Page) -> None:
    """From the shelf into the drawer, through it and back, with the focus where one is."""
    assert tab(page, 3) == ["Skip to the products", "ecart shop", "Cart 0 in it"]
    assert tab(page, 2) == ["Add Apple", "Add Banana"]
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text("1 in the cart")
    assert focused(page) == "Add Banana"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("#live")).to_have_text("2 in the cart")

    page.locator("#to-cart").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    is_in_the_drawer(page)
    assert focused(page) == "the drawer"
    order = ["Close the cart", "Remove Banana", "One Banana less", "One Banana more"]
    assert tab(page, 4) == order
    assert tab(page, 4) == ["Remove Apple", "One Apple less", "One Apple more", "Check out"]

    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert focused(page).startswith("Cart 2")


def test_the_focus_goes_on_from_what_is_removed(page: Page, address: str) -> None:
    """To its undo, and from there back into the drawer, never to nowhere."""
    filled(page, address)
    page.locator("#to-cart").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove Apple").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Apple is out of the cart.")).to_be_visible()
    expect(page.locator('[data-line="apple"]')).to_have_count(0)
    assert focused(page) == "Undo"

    page.keyboard.press("Enter")
    expect(page.locator('[data-line="apple"]')).to_have_count(1)
    assert focused(page) == "the drawer"


def is_in_the_drawer(page: Page) -> None:
    """Waits for the focus: the drawer is seen a moment before its script has run."""
    page.wait_for_function("document.activeElement.closest('[role=dialog]') !== null")


def test_nothing_behind_the_drawer_can_be_reached(page: Page, address: str) -> None:
    """Twenty tabs later the focus has not come to the shelf."""
    filled(page, address)
    page.locator("#to-cart").press("Enter")
    is_in_the_drawer(page)

    assert not [name for name in tab(page, 20) if name.startswith(("Add ", "ecart", "Skip"))]


def test_every_focus_can_be_seen(page: Page, address: str) -> None:
    """Each stop has an outline of three pixels."""
    filled(page, address)
    for opening in ("", "?page=1#cart"):
        page.goto(f"{address}/{opening}")
        for _ in range(8):
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outline")
            assert "3px" in outline and "solid" in outline, (focused(page), outline)


def test_back_closes_the_drawer(page: Page) -> None:
    """As on a phone everybody expects."""
    page.locator("#to-cart").click()
    expect(page.get_by_role("dialog")).to_be_visible()

    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_at_phone_width(devices: Any, address: str) -> None:
    """Nothing is wider than the screen, and every button can be met with a thumb."""
    page = opened(devices.new(**PHONE), address)
    filled(page, address)

    for opening in ("", "#cart"):
        page.goto(f"{address}/{opening}")
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, a.to-cart, a.close")]
                .filter((each) => each.checkVisibility({ visibilityProperty: true }))
                .filter((each) => each.offsetWidth < 40 || each.offsetHeight < 40)
                .map((each) => each.outerHTML)"""
        )
        assert small == []
    assert page.locator("#cart").bounding_box() == {"x": 0, "y": 0, "width": 375, "height": 760}
    page.get_by_role("button", name="One Apple more").tap()
    expect(page.locator("#badge")).to_have_text("5")


SCHEMES = ("light", "dark")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_barrier_is_found(devices: Any, address: str, scheme: str) -> None:
    """axe finds nothing serious or critical: names, roles, order, contrast; in every state."""
    page = opened(devices.new(color_scheme=scheme), address)
    assert barriers(page) == []
    page.goto(f"{address}/#cart")
    assert barriers(page) == []

    filled(page, address)
    assert barriers(page) == []
    page.get_by_role("button", name="Remove Apple").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="Check out").click()
    expect(page.get_by_text("Held for you until")).to_be_visible()
    page.evaluate("document.querySelector('#trouble').hidden = false")
    assert barriers(page) == []
    page.set_viewport_size({"width": 375, "height": 760})
    assert barriers(page) == []


def barriers(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_dark_is_dark(devices: Any, address: str) -> None:
    """The page follows what the visitor's system prefers."""
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = (opened(devices.new(color_scheme=each), address) for each in SCHEMES)

    assert (light.evaluate(paper), dark.evaluate(paper)) == (
        "rgb(250, 248, 244)",
        "rgb(20, 23, 20)",
    )


def test_nothing_moves_for_those_who_ask_for_that(devices: Any, address: str) -> None:
    """With `prefers-reduced-motion` there is no transition at all."""
    length = "getComputedStyle(document.querySelector('#cart')).transitionDuration"
    page = opened(devices.new(reduced_motion="no-preference"), address)
    calm = opened(devices.new(reduced_motion="reduce"), address)

    assert page.evaluate(length) != "0s"
    assert calm.evaluate(length) == "0s"


def test_without_javascript(devices: Any, address: str) -> None:
    """Add, look, more, less, remove, undo, check out, release: by forms alone."""
    page = opened(devices.new(java_script_enabled=False), address)

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()

    def quantities() -> list[str]:
        return page.locator("#lines .count").all_text_contents()

    press("Add Apple")
    expect(page.get_by_role("dialog", name="Your cart")).to_be_visible()
    page.get_by_role("link", name="Close the cart").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    press("Add Banana")
    press("One Apple more")
    press("One Apple more")
    press("One Apple less")
    assert quantities() == ["2", "1"]
    expect(page.locator("#badge")).to_have_text("3")

    press("Remove Apple")
    expect(page.get_by_text("Apple is out of the cart.")).to_be_visible()
    press("Undo")
    assert sorted(quantities()) == ["1", "2"]
    press("Check out")
    expect(page.get_by_text(re.compile(r"Held for you until \d\d:\d\d UTC"))).to_be_visible()
    expect(page.get_by_role("button", name="One Apple more")).to_be_disabled()
    press("Go on shopping")
    press("One Banana less")
    assert quantities() == ["2"]
    page.reload()
    assert quantities() == ["2"]
