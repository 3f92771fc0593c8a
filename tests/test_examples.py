"""The example shops sell: each run as its reader would use it, and each a page long."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

if TYPE_CHECKING:
    from engines import Engine

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / name))


def test_the_flask_shop_sells(engine: Engine) -> None:
    """A form is sent, the cart page shows it, and titles are escaped."""
    client = load("flask_shop.py")["create_app"](engine.url).test_client()

    bought = client.post("/", data={"sku": "mug"}, follow_redirects=True).text
    products = client.get("/").text

    assert "1 × Mug &lt;large&gt;" in bought
    assert "Together 9.50 USD" in bought
    assert "Mug &lt;large&gt;, 9.50" in products
    assert client.post("/", data={"sku": "car"}).status_code == 404
    assert client.get("/cart").json["items"][0]["sku"] == "mug"


def test_the_starlette_shop_sells(engine: Engine) -> None:
    """The page's script posts JSON, the cart page shows it, and titles are escaped."""
    app = load("starlette_shop.py")["create_app"](engine.url)
    with TestClient(app) as client:
        products = client.get("/").text
        sku = re.search(r"<button value=(\w+)>", products)
        assert sku is not None

        client.post("/cart/items", json={"sku": sku[1]})

        assert "1 × Mug &lt;large&gt;" in client.get("/basket").text
        assert "Together 9.50 USD" in client.get("/basket").text
        assert "Mug &lt;large&gt;, 9.50" in products
        assert client.portal is not None
        client.portal.call(app.state.ecart.store.close)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.name)
def test_examples_are_short(file: Path) -> None:
    """An example is read in one go."""
    assert len(file.read_text().splitlines()) < 60
