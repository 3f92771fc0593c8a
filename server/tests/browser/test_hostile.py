"""Strings that would run if anybody let them: as SKU, title, option and id, by the hundred."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from playwright.sync_api import expect

from browser.conftest import SECRET, opened
from ecart import Cart, RedisStore
from ecart.http import Session
from ecart.integrations.cookies import SignedCookie

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from engines import Engine
    from serving import Service

RUN = "window.ran=1"
OPENINGS = ("", '"', "'", '">', "'>", "</li>", "</template>", "</title>", "-->", "</script>", "`")
CORES = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script>",
    "<iframe srcdoc='<script>parent.ran=1</script>'>",
    f"<details open ontoggle={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<a href=javascript:{RUN}>x</a>",
    f"<math><mtext><style><img src=x onerror={RUN}>",
    f"<body onload={RUN}>",
    f"<object data=javascript:{RUN}>",
    "<link rel=stylesheet href=//evil.test>",
    f"<meta http-equiv=refresh content=0;url=javascript:{RUN}>",
    "<base href=//evil.test>",
    "<form action=//evil.test><button>x",
    f" onmouseover={RUN} autofocus onfocus={RUN} x=",
    f"javascript:{RUN}",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;script>{RUN}</script>",
    "{{ cycler.__init__.__globals__ }}{% raw %}",
    "${ran=1}#{ran=1}",
    f"<!--<script>{RUN}</script>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"<template><script>{RUN}</script>",
    f"\\u003cscript\\u003e{RUN}",
    f"]]><script>{RUN}</script>",
    f"<sCrIpT/x>{RUN}</ScRiPt>",
)
STRINGS = [opening + core for opening, core in product(OPENINGS, CORES)]
"""Some hundreds; each is a name that a cart takes."""
ELEMENTS = {"ul", "li", "img", "div", "p", "form", "input", "button", "svg", "path", "span"}
"""What a list of lines is made of."""


def fill(cart: Cart) -> None:
    for text in STRINGS:
        cart.add(text.strip(), unit_price="1", title=text, options={text[:60]: text})


def assert_harmless(page: Page) -> None:
    """Every string is there as text; no element came to be, and nothing ran."""
    lines = page.locator("#lines")
    names = lines.locator(".name").all_text_contents()
    assert sorted(names) == sorted(STRINGS)
    assert (
        set(lines.evaluate("at => [...at.querySelectorAll('*')].map(e => e.localName)")) <= ELEMENTS
    )
    loose = """() => [...document.querySelectorAll("*")].filter((e) =>
        [...e.attributes].some((a) => a.name.startsWith("on"))
        || /javascript:|evil/.test(e.href ?? "") || /evil/.test(e.action ?? "")
        || ["iframe", "object", "base", "math", "details"].includes(e.localName)).length"""
    assert page.evaluate(loose) == 0
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("window.ran") is None


def test_what_a_cart_holds(devices: Any, address: str, engine: Engine) -> None:
    """Hundreds of lines, drawn first by the script, then by the server."""
    page = opened(devices.new(), address, "/#cart")
    store = RedisStore(engine.url)

    fill(Cart(page.request.get(f"{address}/cart").json()["cart_id"], store))
    expect(page.locator("#lines > li")).to_have_count(len(STRINGS))
    assert len(STRINGS) > 250
    assert_harmless(page)
    page.reload()
    assert_harmless(page)
    page.get_by_role("button", name="Remove").first.click()
    expect(page.locator("#lines > li")).to_have_count(len(STRINGS) - 1)
    expect(page.locator("#note")).to_contain_text(STRINGS[0])
    assert page.evaluate("window.ran") is None

    store.close()


def test_what_a_catalog_sells(
    devices: Any, run_service: Callable[..., Service], engine: Engine, tmp_path: Path
) -> None:
    """The shelf, its options and pictures, page by page."""
    rows = [
        {"sku": text.strip(), "title": text, "image": text, "options": {text[:60]: [text]}}
        for text in STRINGS
    ]
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps(rows))
    address = run_service(engine, "--catalog", str(catalog)).address
    context = devices.new()
    shown = []
    page = context.new_page()
    for number in range(1, -(-len(STRINGS) // 60) + 1):
        page.goto(f"{address}/?page={number}")
        shown += page.locator(".card h2").all_text_contents()
        assert page.evaluate("document.scripts.length") == 1
        assert page.evaluate("window.ran") is None
        tags = page.locator("main").evaluate(
            "m => [...m.querySelectorAll('*')].map(e => e.localName)"
        )
        assert set(tags) <= ELEMENTS | {"h1", "h2", "label", "select", "option", "nav", "a"}
    assert shown == STRINGS

    page.locator(".card button").last.click()
    expect(page.locator("#badge")).to_have_text("1")
    assert page.evaluate("window.ran") is None


def test_ids_and_addresses(devices: Any, address: str) -> None:
    """As the cart id of a session that is true, and in the query."""
    context = devices.new()
    page = context.new_page()
    in_cookies = [text for text in STRINGS if not set(text) & set('";,\\ ')]
    for text in in_cookies[::3]:
        name, _, rest = SignedCookie(SECRET).set_cookie(Session(text), False).partition("=")
        context.add_cookies([{"name": name, "value": rest.partition(";")[0], "url": address}])
        page.goto(f"{address}/?page={quote(text)}&{quote(text)}={quote(text)}#cart")
        known = json.loads(page.locator("#cart").get_attribute("data-cart") or "")
        assert known["cart_id"] == text
        assert page.evaluate("document.scripts.length") == 1
        assert page.evaluate("window.ran") is None
    assert len(in_cookies) > 60
