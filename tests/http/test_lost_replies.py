"""Between service and engine replies get lost; each change over HTTP still counts once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from clients import TWO
from clients.live import served
from proxy import lossy

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Shop
    from engines import Engine

pytestmark = pytest.mark.parametrize("shop_class", TWO, indirect=True)


@pytest.mark.parametrize(
    "wares", [["apple"] * 8, [f"sku-{n}" for n in range(8)]], ids=["one", "eight"]
)
def test_two_thousand_adds_are_two_thousand(
    make_shop: Callable[..., Shop], engine: Engine, wares: list[str]
) -> None:
    """8 threads add 250 times one of one SKU or of eight; one in twenty replies is lost."""
    with (
        lossy(engine) as proxy,
        served(make_shop(url=proxy.url)) as address,
        requests.Session() as visitor,
    ):
        visitor.get(f"{address}/cart")

        def add(sku: str) -> None:
            with requests.Session() as own:
                own.cookies.update(visitor.cookies)
                for _ in range(250):
                    own.post(f"{address}/cart/items", json={"sku": sku}).raise_for_status()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add, wares))
        cart = visitor.get(f"{address}/cart").json()

    assert cart["total_quantity"] == 2000
    assert cart["version"] == 2000
    assert {item["quantity"] for item in cart["items"]} == {2000 // len(set(wares))}
    assert proxy.dropped > 50
