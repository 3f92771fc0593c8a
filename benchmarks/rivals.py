"""What ecart is measured against: the bare round trip, and two algorithms that carts are made of.

The algorithms are written anew from what they do, and reduced to it: no checks, no result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

ONE_LINE = "return 1"
WEEK = 604_800

# What an add sends beside its script and key: as many arguments as ours, of about their length.
ARGUMENTS = (
    *("~1nteKDBuXPo.1", 12345, "e3a7cf30", "tsQr0yH4", "", "4h8_SXD_dIg", 604_800_000, "0"),
    *(":sku-3", 1, "19.9", "USD", "", "", 9999, 500),
)


def bare_script(client: Any, *arguments: Any) -> Callable[[], Any]:
    """One round trip that runs a script of one line, with one key; awaitable if the client is."""
    sha = script_sha(ONE_LINE)
    return lambda: client.evalsha(sha, 1, "bare", *arguments)


def script_sha(text: str) -> str:
    """The name that an engine gives to a script."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class ECartCart:
    """E-Cart 1.0.2: a hash of JSON by product; `add` is HSET, EXISTS, EXPIRE: three round trips.

    It replaces what the product had: two adds of one apple are one apple.
    """

    def __init__(self, cart_id: str, client: Any) -> None:
        self.key = f"E-CART:USER_ID:{cart_id}"
        self._client = client

    def add(self, product_id: str, unit_cost: float, quantity: int = 1) -> None:
        """Puts a product."""
        product = json.dumps({"unit_cost": unit_cost, "quantity": quantity})
        self._client.hset(self.key, product_id, product)
        self._client.exists(self.key)
        self._client.expire(self.key, WEEK)


class BlobCart:
    """The cart of many demonstrations: one JSON value that is fetched, changed and put back.

    Who fetches before another has put back undoes what the other did.
    """

    def __init__(self, cart_id: str, client: Any) -> None:
        self.key = f"cart:{cart_id}"
        self._client = client

    def get(self) -> dict[str, Any]:
        """The lines by product."""
        text = self._client.get(self.key)
        return json.loads(text) if text else {}

    def units(self) -> int:
        """Units of all products."""
        return sum(line["quantity"] for line in self.get().values())

    def add(self, product_id: str, unit_price: str, quantity: int = 1) -> None:
        """Adds units of a product."""
        lines = self.get()
        line = lines.setdefault(product_id, {"quantity": 0, "unit_price": unit_price})
        line["quantity"] += quantity
        self._client.set(self.key, json.dumps(lines), ex=WEEK)
