"""Between service and engine replies get lost; each change over HTTP still counts once."""

from __future__ import annotations

import json
import subprocess
import sys
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

ADD_250_TIMES = """
import json, sys, requests
address, cookies, sku = sys.argv[1:]
with requests.Session() as own:
    own.cookies.update(json.loads(cookies))
    for _ in range(250):
        own.post(f"{address}/cart/items", json={"sku": sku}).raise_for_status()
"""

pytestmark = pytest.mark.parametrize("shop_class", TWO, indirect=True)


@pytest.mark.parametrize(
    "wares", [["apple"] * 8, [f"sku-{n}" for n in range(8)]], ids=["one", "eight"]
)
def test_two_thousand_adds_are_two_thousand(
    make_shop: Callable[..., Shop], engine: Engine, wares: list[str]
) -> None:
    """8 processes add 250 times one of one SKU or of eight; one in twenty replies is lost."""
    with (
        lossy(engine) as proxy,
        served(make_shop(url=proxy.url)) as address,
        requests.Session() as visitor,
    ):
        visitor.get(f"{address}/cart")
        cookies = json.dumps(visitor.cookies.get_dict())
        clients = [
            subprocess.Popen([sys.executable, "-c", ADD_250_TIMES, address, cookies, sku])
            for sku in wares
        ]
        try:
            assert [client.wait(timeout=100) for client in clients] == [0] * 8
        finally:
            for client in clients:
                client.kill()
                client.wait()
        cart = visitor.get(f"{address}/cart").json()

    assert cart["total_quantity"] == 2000
    assert cart["version"] == 2000
    assert {item["quantity"] for item in cart["items"]} == {2000 // len(set(wares))}
    assert proxy.dropped > 50
