"""A Flask shop behind gunicorn, as it is deployed: threads, processes, and requests at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from engines import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

CLIENTS, ROUNDS = 8, 4
SERVED = {
    "threads": ("--workers", "1", "--threads", "8"),
    "processes": ("--workers", "4"),
    "preloaded processes with threads": ("--workers", "2", "--threads", "4", "--preload"),
}


@pytest.fixture(params=SERVED.values(), ids=[*SERVED])
def address(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[str]:
    """Where gunicorn serves the shop."""
    where = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "gunicorn", "--bind", where, "--no-control-socket"]
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, *request.param, "served_by_gunicorn:app"],
            cwd=Path(__file__).parent,
            env={**os.environ, "SHOP_REDIS_URL": engine.url},
            stdout=said,
            stderr=said,
        )
    try:
        wait_until_served(f"http://{where}/cart", process, log)
        yield f"http://{where}"
    finally:
        process.terminate()
        process.wait(20)


def wait_until_served(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.02)
    pytest.fail(f"gunicorn did not start:\n{log.read_text()[-2000:]}")


def test_a_shop_behind_gunicorn(address: str) -> None:
    """A session lasts over a real wire, and requests of it at once lose nothing."""
    with requests.Session() as session:
        first = session.post(f"{address}/cart/items", json={"sku": "banana"}).json()

        add_at_once(address, session)

        cart = session.get(f"{address}/cart").json()
    assert cart["cart_id"] == first["cart_id"]
    quantities = {item["sku"]: item["quantity"] for item in cart["items"]}
    assert quantities == {"banana": 1, "apple": CLIENTS * ROUNDS}


def add_at_once(address: str, shopper: requests.Session) -> None:
    """Each client adds an apple when all are ready to, round after round."""
    ready = threading.Barrier(CLIENTS)
    answers: list[int] = []

    def add() -> None:
        with requests.Session() as session:
            session.cookies.update(shopper.cookies)
            for _ in range(ROUNDS):
                ready.wait(20)
                answer = session.post(f"{address}/cart/items", json={"sku": "apple"}, timeout=20)
                answers.append(answer.status_code)

    threads = [threading.Thread(target=add) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * CLIENTS * ROUNDS
