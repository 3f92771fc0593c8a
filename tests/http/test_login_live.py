"""Log-ins at the same time, on a live server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from clients import SERVED
from clients.live import served

if TYPE_CHECKING:
    from clients import Shop

pytestmark = pytest.mark.parametrize("shop_class", SERVED, indirect=True)


def test_two_tabs_that_log_in_at_once(shop: Shop) -> None:
    """Four requests of one visitor at the same time, on a live server, merge the cart once."""
    start = threading.Barrier(4)
    with served(shop) as address, requests.Session() as visitor:
        visitor.post(f"{address}/cart/items", json={"sku": "apple"}).raise_for_status()

        def tab(_: int) -> dict[str, int]:
            with requests.Session() as own:
                own.cookies.update(visitor.cookies)
                start.wait()
                own.post(f"{address}/login", json={"user": 42}).raise_for_status()
                items = own.get(f"{address}/cart").json()["items"]
                return {item["sku"]: item["quantity"] for item in items}

        with ThreadPoolExecutor(4) as threads:
            seen = list(threads.map(tab, range(4)))

    assert seen == [{"apple": 1}] * 4
