"""Histories of one cart over HTTP: visitors of one session, each with a connection of its own.

A change answers with the cart as it left it, so that each answer is held against all lines.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from faults.linearizability import FOREVER, Event
from faults.recording import LIMIT, SKUS, cart_model, drawn

if TYPE_CHECKING:
    from collections.abc import Hashable

CATALOG = json.dumps([{"sku": sku, "unit_price": "0.50", "max_quantity": LIMIT} for sku in SKUS])
"""What the shop sells, as its file."""


def web_model(state: Any, operation: Any) -> tuple[Hashable, Any]:
    """`cart_model`, where a change answers all lines."""
    after, answer = cart_model(state, operation)
    return after, after if isinstance(answer, int) else answer


class Visitor:
    """One connection to a service, and the session's cookie."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        self._headers = {"Content-Type": "application/json"}

    def begin(self) -> str:
        """Begins a session, with a cart that nobody has filled; its cookie."""
        self._connection.request("GET", "/cart")
        answer = self._connection.getresponse()
        answer.read()
        return str(answer.headers["Set-Cookie"]).partition(";")[0]

    def record(self, cookie: str, seed: str, operations: int, history: list[Event]) -> None:
        """This visitor's part of a history."""
        chance = random.Random(seed)
        self._connection.close()  # else the service may close it, idle since the last history
        self._headers["Cookie"] = cookie
        for _ in range(operations):
            name, _ = drawn(chance)
            began = time.monotonic_ns()
            status, is_replayed, document = self._ask(*request_of(name))
            if status == 503:
                continue  # not executed: nothing has happened
            if status == 504:
                history.append(Event(began, FOREVER, name, is_known=False))
                continue
            answer = document["code"] if status >= 400 else lines_of(document)
            name = (*name[:3], is_replayed)
            history.append(
                Event(began, time.monotonic_ns(), name, "done" if is_replayed else answer)
            )

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: Any) -> tuple[int, bool, Any]:
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, self._headers)
        answer = self._connection.getresponse()
        return answer.status, "Idempotency-Replayed" in answer.headers, json.load(answer)


def request_of(name: tuple[Any, ...]) -> tuple[str, str, Any]:
    """The request that an operation of a history is."""
    what, sku, quantity, _ = name
    return {
        "get": ("GET", "/cart", None),
        "add": ("POST", "/cart/items", {"sku": sku, "quantity": quantity}),
        "set": ("PATCH", f"/cart/items/{sku}", {"quantity": quantity}),
        "remove": ("DELETE", f"/cart/items/{sku}", None),
    }[what]


def lines_of(document: Any) -> Any:
    """All lines of the cart that was answered."""
    return tuple(sorted((item["id"], item["quantity"]) for item in document["items"]))
