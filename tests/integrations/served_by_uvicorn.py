"""The app of an adapter for the workers of uvicorn, which says with each answer who answered."""

from __future__ import annotations

import importlib
import os
from typing import Any

from clients.shop import Setup


def create_app() -> Any:
    """The app of the adapter that the environment names."""
    module, name = os.environ["SHOP_ADAPTER"].split(":")
    url = os.environ["SHOP_REDIS_URL"]
    adapter = getattr(importlib.import_module(f"clients.{module}"), name)
    app = adapter.build(Setup(url=url), url)

    async def signed(scope: Any, receive: Any, send: Any) -> None:
        async def send_signed(message: Any) -> None:
            if message["type"] == "http.response.start":
                worker = (b"x-worker", str(os.getpid()).encode())
                message = {**message, "headers": [*message["headers"], worker]}
            await send(message)

        await app(scope, receive, send_signed)

    return signed
