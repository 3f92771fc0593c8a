"""The Django site behind the servers that sites have, in processes of their own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from engines import free_port, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

TESTS = Path(__file__).parents[1]
RUNSERVER = (
    "import clients.django, django.core.management as m;"
    "m.call_command('runserver', '127.0.0.1:{port}', '--noreload', '--skip-checks')"
)
GUNICORN = ["-m", "gunicorn", "clients.django_live:wsgi", "--bind", "127.0.0.1:{port}"]
UVICORN = ["-m", "uvicorn", "clients.django_live:asgi", "--port", "{port}", "--lifespan", "off"]
SERVERS = [
    pytest.param(("django", ["-c", RUNSERVER]), id="runserver"),
    pytest.param(("gunicorn", [*GUNICORN, "--threads", "8"]), id="gunicorn-threads"),
    pytest.param(("gunicorn", [*GUNICORN, "--workers", "4"]), id="gunicorn-processes"),
    pytest.param(("uvicorn", [*UVICORN, "--workers", "2"]), id="uvicorn-workers"),
]


@pytest.fixture(params=SERVERS)
def address(request: pytest.FixtureRequest, engine: Engine) -> Iterator[str]:
    """Where the site is served."""
    package, arguments = request.param
    if any(importlib.util.find_spec(name) is None for name in ("django", package)):
        missing(f"no {package}: pip install django {package}")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *(argument.format(port=port) for argument in arguments)],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS), "SITE_REDIS_URL": engine.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/hello", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=10).ok:
                return
        time.sleep(0.02)
    pytest.fail(f"the site is not served; the exit code is {process.poll()}")


def test_a_live_site(address: str) -> None:
    """The session lasts, eight at once lose nothing, and the server's habits do not show."""
    with requests.Session() as client:
        check_the_session(client, address)
        check_eight_at_once(client, address)
        check_odd_requests(client, address)


def check_the_session(client: requests.Session, address: str) -> None:
    r1 = client.post(f"{address}/cart/items", json={"sku": "apple"})
    assert r1.status_code == 200
    cart_id_1 = r1.json()["cart_id"]
    r2 = client.post(f"{address}/cart/items", json={"sku": "banana"})
    assert r2.status_code == 200
    assert cart_id_1 == r2.json()["cart_id"]
    r3 = client.get(f"{address}/cart")
    assert r3.status_code == 200
    assert {item["sku"] for item in r3.json()["items"]} == {"apple", "banana"}


def check_eight_at_once(client: requests.Session, address: str) -> None:
    def add_twenty(_: int) -> None:
        with requests.Session() as own:
            own.cookies.update(client.cookies)
            for _ in range(20):
                own.post(f"{address}/cart/items", json={"sku": "tea"}).raise_for_status()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_twenty, range(8)))

    cart = client.get(f"{address}/cart").json()
    assert (cart["items"][2]["quantity"], cart["version"]) == (160, 162)


def check_odd_requests(client: requests.Session, address: str) -> None:
    """No body where none is needed, a body of untold length, one too long, and no body at all."""
    target = f"{address}/cart/checkout"
    chunks = requests.post(
        f"{address}/cart/items",
        data=iter([b'{"sku":', b' "egg"}']),
        headers={"Content-Type": "application/json"},
    )
    long = client.post(f"{address}/cart/items", json={"sku": "x" * 20_000})
    head, same = client.head(f"{address}/cart"), client.get(f"{address}/cart")
    gone = client.get(f"{address}/cart", headers={"If-None-Match": same.headers["ETag"]})

    assert [client.post(target).status_code, client.delete(target).status_code] == [200, 200]
    # The one server that takes a body of untold length for none is not for production.
    assert chunks.status_code == (400 if "WSGIServer" in same.headers["Server"] else 200)
    assert (long.status_code, long.json()["code"]) == (413, "body_too_large")
    assert head.headers["Content-Length"] == str(len(same.content))
    assert (gone.status_code, gone.content) == (304, b"")
