"""A client that is slow or goes away takes nothing with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import ecart.integrations.asgi_messages
from clients import SERVICE
from clients.asgi import AsgiShop

if TYPE_CHECKING:
    from clients import Shop, Shopper

pytestmark = pytest.mark.parametrize("shop_class", [SERVICE], indirect=True)

SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/cart/items",
    "raw_path": b"/cart/items",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"shop.test"), (b"content-type", b"application/json")],
}


def said_to(shop: Shop, receive: Any) -> list[dict[str, Any]]:
    """What the app sends to a client of which it receives like this."""
    assert isinstance(shop, AsgiShop)
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    shop.wait_for(shop.app(dict(SCOPE), receive, send))
    return said


def test_a_body_that_does_not_come(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """408 `request_timeout` as a problem like any other, and the connection is given up."""
    monkeypatch.setattr(ecart.integrations.asgi_messages, "BODY_SECONDS", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(30)
        return {"type": "http.disconnect"}

    start, body = said_to(shop, receive)

    headers = dict(start["headers"])
    assert start["status"] == 408
    assert headers[b"connection"] == b"close"
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"cache-control"] == b"private, no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b'"code":"request_timeout"' in body["body"]


def test_a_client_that_goes_away_while_sending(shop: Shop, shopper: Shopper) -> None:
    """Nothing is done and nothing is answered."""
    messages = [
        {"type": "http.request", "body": b'{"sku":"apple"}', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    assert said_to(shop, receive) == []
