"""A shopper's journey, from the first visit to the completed order, with curl."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from .conftest import OFFICE_KEY, program

if TYPE_CHECKING:
    from pathlib import Path


class Curl:
    """curl with a jar of cookies; each call is a connection of its own."""

    def __init__(self, base: str, jar: Path, *options: str) -> None:
        self._command = [
            program("curl"), "-sS", "--max-time", "20", "--compressed",
            "-c", str(jar), "-b", str(jar), *options,
        ]  # fmt: skip
        self._base = base
        self._head = jar.with_suffix(".head")

    def __call__(
        self, expected: int, method: str, path: str, body: Any = None, **headers: str
    ) -> Any:
        arguments = ["-X", method, "-D", str(self._head), "-w", "\n%{http_code} %{http_version}"]
        for name, value in headers.items():
            arguments += ["-H", f"{name.replace('_', '-')}: {value}"]
        if body is not None:
            arguments += ["--json", json.dumps(body)]
        output = subprocess.run(
            [*self._command, *arguments, self._base + path],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip
        text, _, last = output.rpartition("\n")
        status, self.version = last.split()
        assert int(status) == expected, (method, path, output)
        heads = self._head.read_text().splitlines()
        self.etag = next((line[6:] for line in heads if line.lower().startswith("etag: ")), "")
        return json.loads(text) if text else None


def journey(curl: Curl) -> None:
    cart_id = curl(200, "GET", "/cart")["cart_id"]
    curl(200, "POST", "/cart/items", {"sku": "apple"})
    for _ in range(2):
        curl(200, "POST", "/cart/items", {"sku": "tea", "quantity": 2}, Idempotency_Key="once")
    stale = curl.etag
    assert stale
    curl(200, "PATCH", "/cart/items", {"line_id": "apple", "quantity": 5}, If_Match=stale)
    curl(412, "PATCH", "/cart/items", {"line_id": "apple", "quantity": 6}, If_Match=stale)
    cart = curl(200, "GET", "/cart")
    assert (cart["total_quantity"], cart["cart_id"]) == (7, cart_id)
    curl(304, "GET", "/cart", If_None_Match=curl.etag)
    quoted = f'"{cart["etag"]}"'
    curl(200, "DELETE", "/cart/items/tea", If_Match=quoted)
    held = curl(200, "POST", "/cart/checkout", {})
    path = f"/carts/{cart_id}/checkout/{held['checkout_id']}/complete"
    order = {"order_id": "order-1"}
    curl(401, "POST", path, order)
    done = curl(200, "POST", path, order, Authorization=f"Bearer {OFFICE_KEY}")
    assert done["total_quantity"] == 0
    assert curl(200, "GET", "/cart")["cart_id"] == cart_id
