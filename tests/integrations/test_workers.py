"""ASGI frameworks as they are deployed: two uvicorn workers, eight requests at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from engines import free_port, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

CLIENTS, ROUNDS, WORKERS = 8, 10, 2
TESTS = Path(__file__).parents[1]
ADAPTERS = [
    "starlette:StarletteShop",
    "fastapi:FastApiShop",
    "litestar:LitestarShop",
    "plain_asgi:PlainAsgiShop",
]


@pytest.fixture(params=ADAPTERS)
def address(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[str]:
    """Where the workers of uvicorn serve the shop of an adapter."""
    framework = request.param.partition(":")[0]
    if framework != "plain_asgi" and find_spec(framework) is None:
        missing(f"no {framework}: pip install {framework}")
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "served_by_uvicorn:create_app"]
    options = ["--workers", str(WORKERS), "--port", str(port), "--log-level", "warning"]
    paths = os.pathsep.join((str(TESTS), str(Path(__file__).parent)))
    told = {"SHOP_ADAPTER": request.param, "SHOP_REDIS_URL": engine.url, "PYTHONPATH": paths}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options], env={**os.environ, **told}, stdout=log, stderr=log
        )
    try:
        wait_for_workers(f"http://127.0.0.1:{port}/hello", process, tmp_path / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for_workers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until each of them has answered."""
    seen: set[str] = set()
    deadline = time.monotonic() + 60
    while len(seen) < WORKERS:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            seen.add(requests.get(url, timeout=10).headers["x-worker"])


def test_two_workers_serve_one_session(address: str) -> None:
    """The issue's test with `requests.Session`; then all add at once, and nothing is lost."""
    with requests.Session() as visitor:
        r1 = visitor.post(f"{address}/cart/items", json={"sku": "apple"})
        assert r1.status_code == 200
        cart_id_1 = r1.json()["cart_id"]
        r2 = visitor.post(f"{address}/cart/items", json={"sku": "banana"})
        assert r2.status_code == 200
        assert cart_id_1 == r2.json()["cart_id"]
        r3 = visitor.get(f"{address}/cart")
        assert r3.status_code == 200
        assert {item["sku"] for item in r3.json()["items"]} == {"apple", "banana"}

        workers = add_at_once(address, visitor)
        cart = visitor.get(f"{address}/cart").json()

    assert (cart["cart_id"], len(workers)) == (cart_id_1, WORKERS)
    assert {item["sku"]: item["quantity"] for item in cart["items"]} == {
        "apple": 1 + CLIENTS * ROUNDS,
        "banana": 1,
        "gift": CLIENTS * ROUNDS,
    }


def add_at_once(address: str, visitor: requests.Session) -> set[str]:
    """Eight clients add by the contract and by the host's own view; which workers answered."""
    start = threading.Barrier(CLIENTS)
    answered: set[str] = set()

    def add(_: int) -> None:
        for _ in range(ROUNDS):
            start.wait()
            for target, body in (("cart/items", {"sku": "apple"}), ("gift", None)):
                # A connection each, so that either worker may have it.
                answer = requests.post(
                    f"{address}/{target}", cookies=visitor.cookies, json=body, timeout=30
                )
                answer.raise_for_status()
                answered.add(answer.headers["x-worker"])

    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(add, range(CLIENTS)))
    return answered
