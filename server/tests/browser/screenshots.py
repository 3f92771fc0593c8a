"""Takes the pictures of `docs/images` from a running service: `make screenshots`.

Each shot is a row of `SHOTS`: what the browser is, where it goes, and what is done there before.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import requests
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests"))
from serving import Service, kill_engine  # noqa: E402

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 375, "height": 760}, "device_scale_factor": 2}
LARGEST = 150_000
KEY = "a key for the pictures alone"
OPERATOR: dict[str, Any] = {**DESK, "extra_http_headers": {"Authorization": f"Bearer {KEY}"}}
SHELF = ("apple", "banana", "bread", "coffee", "cheese", "chocolate")


class Shot(NamedTuple):
    """A picture: its name, the browser's options, and what is done until it is taken."""

    name: str
    options: dict[str, Any]
    play: Callable[[Page, str], None]


def shop(page: Page, address: str) -> None:
    """The shelf, with something in the cart."""
    page.goto(address)
    for sku, quantity in (("apple", 3), ("bread", 1), ("coffee", 1)):
        page.request.post(f"{address}/cart/items", data={"sku": sku, "quantity": quantity})
    page.goto(address)
    page.wait_for_timeout(300)


def drawer(page: Page, address: str) -> None:
    """The cart."""
    shop(page, address)
    page.locator("#to-cart").click()
    page.wait_for_timeout(300)


def fill(address: str) -> None:
    """Carts of many visitors, small and large, drawn alike each time."""
    chance = random.Random(7)
    for _ in range(240):
        with requests.Session() as visitor:
            for sku in chance.sample(SHELF, chance.choice((1, 1, 1, 2, 2, 3, 5))):
                order = {"sku": sku, "quantity": chance.choice((1, 1, 2, 3, 12))}
                visitor.post(f"{address}/cart/items", json=order).raise_for_status()


def overview(page: Page, address: str) -> None:
    """The operator's overview, once the survey has been taken."""
    fill(address)
    page.goto(f"{address}/admin")
    page.wait_for_timeout(3000)
    page.goto(f"{address}/admin")


def one_cart(page: Page, address: str) -> None:
    """One cart in full."""
    overview(page, address)
    cart = page.request.get(f"{address}/cart")
    page.request.post(f"{address}/cart/items", data={"sku": "tea", "quantity": 2})
    page.request.post(f"{address}/cart/items", data={"sku": "apple", "quantity": 5})
    page.goto(f"{address}/admin/cart?id={cart.json()['cart_id']}")


SHOTS = (
    Shot("shop", DESK, shop),
    Shot("drawer", DESK, drawer),
    Shot("phone", PHONE, drawer),
    Shot("dark", {**DESK, "color_scheme": "dark"}, shop),
    Shot("admin", OPERATOR, overview),
    Shot("admin-cart", OPERATOR, one_cart),
)


def take(address: str, images: Path) -> None:
    """Takes all of them, and says how large they are."""
    chromium = shutil.which("chromium") or sys.exit("no browser: apt-get install chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=as_root)
        for shot in SHOTS:
            context = browser.new_context(reduced_motion="reduce", **shot.options)
            page = context.new_page()
            shot.play(page, address)
            size = len(page.screenshot(path=images / f"{shot.name}.png"))
            print(f"{shot.name}.png: {size / 1000:.0f} kB")
            if size > LARGEST:
                sys.exit(f"{shot.name}.png is over {LARGEST / 1000:.0f} kB")
            context.close()
        browser.close()


def main() -> None:
    """Runs a service of its own for it."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(data_dir=Path(folder) / "data", env={"ECART_ADMIN_KEY": KEY})
        try:
            take(service.ready().address, ROOT / "docs" / "images")
        finally:
            service.terminate()
            service.end_all()
            kill_engine(service.data_dir)


if __name__ == "__main__":
    main()
