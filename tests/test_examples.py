"""The example shops sell: each run as its reader would use it, and each a page long."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from starlette.testclient import TestClient

from engines import eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # frameworks look up the names in annotations there
    spec.loader.exec_module(module)
    return vars(module)


@pytest.fixture
def flask_shop(engine: Engine, tmp_path: Path) -> Any:
    return load("flask_shop.py")["create_app"](engine.url, f"sqlite:///{tmp_path / 'shop.db'}")


def test_the_flask_shop_sells(flask_shop: Any) -> None:
    """A form is sent, the cart page shows it, and titles are escaped."""
    client = flask_shop.test_client()

    bought = client.post("/", data={"sku": "mug"}, follow_redirects=True).text
    products = client.get("/").text

    assert "1 × Mug &lt;large&gt;" in bought
    assert "Together 9.50 USD" in bought
    assert re.search(r"Mug &lt;large&gt;,\s+9\.50<", products)
    assert "Cart (1)" in products
    assert client.post("/", data={"sku": "car"}).status_code == 404
    assert client.get("/cart").json["items"][0]["sku"] == "mug"
    emptied = client.post("/basket", data={"line": "mug"}, follow_redirects=True)
    again = client.post("/basket", data={"line": "mug"}, follow_redirects=True)
    assert "Nothing yet" in emptied.text and again.text == emptied.text


def test_the_flask_shop_knows_its_users(flask_shop: Any) -> None:
    """The cart goes along at the log-in, is found from elsewhere, and stays with the user."""
    here, there = flask_shop.test_client(), flask_shop.test_client()
    here.post("/", data={"sku": "mug"})

    here.post("/login", data={"user": "ann"})
    found = there.post("/login", data={"user": "ann"}, follow_redirects=True).text
    left = here.post("/logout", follow_redirects=True).text

    assert "1 × Mug" in found and "ann" in found
    assert "Cart (0)" in left and "ann" not in left


@pytest.mark.parametrize("name", ["starlette", "fastapi", "litestar"])
def test_the_shop_sells(name: str, engine: Engine) -> None:
    """The page's script posts JSON, the cart page shows it, titles are escaped, users log in."""
    app = load(f"{name}_shop.py")["create_app"](engine.url)
    with TestClient(app) as client:
        products = client.get("/").text
        sku = re.search(r"sku: '(\w+)'", products)
        assert sku is not None

        client.post("/cart/items", json={"sku": sku[1]})
        shown = client.get("/basket").text
        logged_in = client.post("/login", json={"user": "ada"}).json()
        kept = client.get("/basket").text
        client.post("/logout", json={})

        assert "1 × Mug &lt;large&gt;" in shown
        assert "Together 9.50 USD" in shown
        assert "Mug &lt;large&gt;, 9.50" in products
        assert logged_in == {"added": 1, "refused": None}
        assert "1 × Mug" in kept
        assert "Mug" not in client.get("/basket").text


@pytest.mark.parametrize("name", ["starlette", "fastapi", "litestar"])
def test_the_shop_starts_by_one_command(name: str, engine: Engine, tmp_path: Path) -> None:
    """`python examples/..._shop.py` serves on port 5000 until it is told to stop."""
    # Port 5000 may be taken on a desk, so that the command is run with another.
    code = (EXAMPLES / f"{name}_shop.py").read_text().replace("port=5000", f"port={free_port()}")
    port = re.search(r"port=(\d+)", code)
    assert port is not None
    (tmp_path / "shop.py").write_text(code)
    environ = {**os.environ, "ECART_REDIS_URL": engine.url}
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "shop.py"], cwd=tmp_path, env=environ, stdout=log, stderr=log
    )
    try:
        assert eventually(lambda: says_mug(int(port[1])), 30)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def says_mug(port: int) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return "Mug" in requests.get(f"http://127.0.0.1:{port}/", timeout=5).text
    return False


@pytest.fixture
def django_shop(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """Where the Django shop is served; its settings want a process of their own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "django_shop.py"), str(port)],
        cwd=tmp_path,
        env={**os.environ, "ECART_REDIS_URL": engine.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert eventually(lambda: is_served(port) or process.poll() is not None, 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def submit(client: requests.Session, address: str, **fields: str) -> str:
    """Sends the form that is on the page, with its token; the page that comes then."""
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', client.get(address).text)
    assert token is not None
    answer = client.post(address, {"csrfmiddlewaretoken": token[1], **fields})
    answer.raise_for_status()
    return answer.text


def test_the_django_shop_sells(django_shop: str) -> None:
    """A form is sent, the cart page shows it, titles are escaped, and a log-in takes it along."""
    ann = {"username": "ann", "password": "tea for two"}
    with requests.Session() as here, requests.Session() as there:
        bought = submit(here, f"{django_shop}/", sku="mug")
        found = submit(here, f"{django_shop}/login/", **ann)
        elsewhere = submit(there, f"{django_shop}/login/", **ann)
        token = {"X-CSRFToken": here.cookies["csrftoken"]}
        left = here.post(f"{django_shop}/logout/", headers=token).text
        cart = there.get(f"{django_shop}/cart").json()

    for page in (bought, found, elsewhere):
        assert "1 × Mug &lt;large&gt;" in page
        assert "Together 9.50 USD" in page
        assert "1, 9.50 USD</span>" in page
    assert "Log in" in bought and "ann <button>Log out" in found
    assert "0, 0.00 USD</span>" in left
    assert cart["items"][0]["unit_price"] == "9.50"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.name)
def test_examples_are_short(file: Path) -> None:
    """An example is read in one go."""
    assert len(file.read_text().splitlines()) < 120
