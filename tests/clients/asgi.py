"""Drives an ASGI app as a server would, in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from clients.shop import Answer, Shop

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.applications import Starlette

    from clients.shop import Sent


class AsgiShop(Shop):
    """A deployment that is an ASGI app, living in an event loop of its own."""

    app: Starlette

    def _begin(self, app: Starlette) -> None:
        self.app = app
        self._runner = asyncio.Runner()
        self._lifespan = app.router.lifespan_context(app)
        self.wait_for(self._lifespan.__aenter__())

    def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine where the app runs."""
        return self._runner.run(coroutine)

    def send(self, sent: Sent) -> Answer:
        answer: Answer = self.wait_for(ask(self.app, sent))
        return answer

    def close(self) -> None:
        self.wait_for(self._lifespan.__aexit__(None, None, None))
        self._runner.close()


async def ask(app: Any, sent: Sent) -> Answer:
    """One request to an ASGI app."""
    path, _, query = sent.target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": sent.method,
        "scheme": sent.scheme,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in sent.headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("shop.test", 80),
    }
    left = list(sent.pieces or (b"",))
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()  # a client that stays for its answer
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    start, *rest = said
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start["headers"]]
    body = b"".join(message.get("body", b"") for message in rest)
    return Answer.of(start["status"], headers, body)
