"""Drives an ASGI app as a server would, in this process."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from clients.shop import Answer, Shop
from ecart import AsyncRedisStore
from ecart.http import HttpSettings
from ecart.operations import Rules

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from clients.shop import Sent, Setup


class AsgiShop(Shop):
    """A deployment that is an ASGI app, living in an event loop of its own."""

    app: Any
    _client: Redis | None = None

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._begin(self.build(setup, self._store(setup)))

    def another(self) -> Any:
        """An app like this one, to be served."""
        return self.build(self._setup, self._setup.url)

    @staticmethod
    def build(setup: Setup, store: AsyncRedisStore | str) -> Any:
        """The app, which has not begun to live."""
        raise NotImplementedError

    def _begin(self, app: Any) -> None:
        self.app = app
        self._runner = asyncio.Runner()
        self._lifespan = Lifespan(app)
        self.wait_for(self._lifespan.begin())

    def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine where the app runs."""
        return self._runner.run(coroutine)

    def send(self, sent: Sent) -> Answer:
        answer: Answer = self.wait_for(ask(self.app, sent))
        return answer

    def close(self) -> None:
        self.wait_for(self._lifespan.end())
        if self._client is not None:
            self.wait_for(self._client.aclose())
        self._runner.close()

    def _store(self, setup: Setup) -> AsyncRedisStore | str:
        """The URL, which the integration opens and closes; with patience, a store of the host's."""
        if setup.patience is None:
            return setup.url
        self._client = Redis.from_url(
            setup.url, socket_timeout=setup.patience / 2, retry=Retry(NoBackoff(), 0)
        )
        return AsyncRedisStore(self._client, deadline=setup.patience)


def settings_of(setup: Setup) -> HttpSettings:
    """The settings of a deployment, for integrations that take them as a value."""
    return HttpSettings(
        rules=Rules(currency=setup.currency),
        accept_unknown_skus=setup.catalog is None,
        trusted_origins=frozenset(setup.trusted_origins),
        office_keys=setup.office_keys,
        hold_seconds=setup.hold_seconds,
        keep_additions=setup.keep_additions,
        first_ttl_seconds=setup.first_ttl,
    )


class Lifespan:
    """The life of an app, as a server tells it of it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def begin(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.create_task(self._app(scope, self._to_app.get, self._said.put))
        await self._step("startup")

    async def end(self) -> None:
        await self._step("shutdown")
        await self._task

    async def _step(self, name: str) -> None:
        await self._to_app.put({"type": f"lifespan.{name}"})
        said = await asyncio.wait_for(self._said.get(), 10)
        assert said["type"] == f"lifespan.{name}.complete", said


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
    left = deque(sent.pieces or (b"",))
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()  # a client that stays for its answer
        return {"type": "http.request", "body": left.popleft(), "more_body": bool(left)}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    start, *rest = said
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start["headers"]]
    body = b"".join(message.get("body", b"") for message in rest)
    return Answer.of(start["status"], headers, body)
