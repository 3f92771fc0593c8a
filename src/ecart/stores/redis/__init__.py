"""Carts in Redis or Valkey: each change is one script call on one key.

A client is taken by what it can do (`execute_command`), not by its class: redis-py and valkey-py,
standalone, Sentinel and cluster, decoding or not. It is used as it is and never closed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import time
from collections.abc import Awaitable
from functools import cache
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from ecart.flows import Flow
from ecart.operations import Operation
from ecart.store import AsyncStore, Store, run, run_async
from ecart.stores.redis.batches import batches_of
from ecart.stores.redis.clients import (
    REPLY_TIMEOUT,
    Address,
    Client,
    open_async_client,
    open_client,
    read_url,
    repeats_by_itself,
)
from ecart.stores.redis.commands import Argument
from ecart.stores.redis.durability import Mode, durability_of
from ecart.stores.redis.exchange import SHORTEST_ATTEMPT, Observer, Send, Terms, Wait, exchange
from ecart.stores.redis.index import Index, index_of
from ecart.stores.redis.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keyspace
from ecart.stores.redis.pooled import in_utf8, pool_of, send_all, send_all_async, send_one
from ecart.stores.redis.together import (
    UNDECODED,
    first_reply,
    is_cluster,
    send_together,
    send_together_async,
)

__all__ = ["AsyncRedisStore", "Client", "RedisStore", "async_store_for", "store_for"]

Result = TypeVar("Result")

DEADLINE = 5.0
"""Seconds after which a failing operation is given up."""


class RedisStore:
    """A `Store` on a client or a URL: `redis://`, `rediss://`, `unix://`, `valkey://`, and for
    clusters `redis+cluster://host:port,host:port`, for Sentinel
    `redis+sentinel://host:port,host:port/service`.

    A client handed in keeps its own time-outs, and stays the caller's to close. A plain one lends
    its connections; one with an `execute_command` of its own is asked, with its retries. A URL
    opens a client with short time-outs whose failures this store alone repeats, for `deadline`
    seconds, always to the same effect.

    A change counts as done when the primary has it (`durability="primary"`), when `replicas` (1)
    replicas have it too (`"replicated"`), or when it is on the primary's disk and on that of
    `replicas` (0) replicas (`"fsync"`; Redis and Valkey 7.2 and newer). Where that is not
    confirmed in time, the change is `OutcomeUnknownError`.

    With `index`, carts are noted by their last activity, for `ecart carts` and the operator's view:
    along with a change, at most once a minute.

    `observer` is told of each attempt that fails, also where the next one goes well.
    """

    def __init__(
        self,
        client: Client | str,
        *,
        prefix: str = DEFAULT_PREFIX,
        partitions: int = DEFAULT_PARTITIONS,
        deadline: float = DEADLINE,
        durability: Mode = "primary",
        replicas: int | None = None,
        index: bool = True,
        observer: Observer | None = None,
    ) -> None:
        self._address = read_url(client) if isinstance(client, str) else None
        self._client: Any = None if isinstance(client, str) else client
        self._opening = threading.Lock()
        given: Any = self._client
        if given is not None and inspect.iscoroutinefunction(given.execute_command):
            raise TypeError("an asyncio client: use AsyncCart or AsyncRedisStore")
        self.keys = Keyspace(prefix, partitions)
        self._pool = None if given is None else pool_of(given)
        # What goes over the pool's connections is repeated by nobody but this store.
        repeats = given is not None and self._pool is None and repeats_by_itself(given)
        noted = _noted_over(given) if index else None
        self._terms = Terms(deadline, repeats, durability_of(durability, replicas), noted, observer)

    def execute(self, cart_id: str, operation: Operation[Result], /) -> Result:
        """Executes the operation as one command or script call."""
        flow: Flow[Result] = exchange(self.keys, self._terms, cart_id, operation)
        return run(flow, self._do)

    def ask(self, key: str, command: tuple[Argument, ...]) -> Any:
        """The reply to a command for what is beside the carts. It is sent once."""
        return self._do(Send(key, command, self._terms.deadline))

    def close(self) -> None:
        """Closes the client if this store opened it; another is opened when it is needed."""
        with self._opening:
            if self._address is not None and self._client is not None:
                self._client.close()
                self._client = self._pool = None

    def _do(self, step: Send | Wait) -> Any:
        if isinstance(step, Wait):
            return time.sleep(step.seconds)
        client = self._client or self._opened(self._address)
        if step.ask is not None:
            replies = send_together(client, step.key, (step.command, *step.aside, step.ask))
            return replies[0], replies[-1]
        server = _server_of_last_attempt(self._address, self._terms, step)
        if server is not None:
            with open_client(server, step.seconds) as last:
                return send_one(last.connection_pool, step.command)
        if is_cluster(client):
            return first_reply(send_together(client, step.key, (step.command, *step.aside)))
        if self._pool is None:
            return _asked_itself(client, step)
        if step.aside:
            return first_reply(send_all(self._pool, (step.command, *step.aside)))
        return send_one(self._pool, step.command)

    def _opened(self, address: Address | None) -> Any:
        # Here and not when the store is made, since a cluster's client asks its nodes at once.
        with self._opening:
            if self._client is None and address is not None:
                client = open_client(address, _patience(self._terms))
                self._pool = pool_of(client)
                self._client = client
            return self._client


class AsyncRedisStore:
    """`RedisStore` for asyncio, in all else alike. Each event loop opens a URL for itself."""

    def __init__(
        self,
        client: Client | str,
        *,
        prefix: str = DEFAULT_PREFIX,
        partitions: int = DEFAULT_PARTITIONS,
        deadline: float = DEADLINE,
        durability: Mode = "primary",
        replicas: int | None = None,
        index: bool = True,
        observer: Observer | None = None,
    ) -> None:
        self._address = read_url(client) if isinstance(client, str) else None
        self._given: Any = None if isinstance(client, str) else client
        if self._given is not None and not inspect.iscoroutinefunction(self._given.execute_command):
            raise TypeError("not an asyncio client: use Cart or RedisStore")
        self._opened: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._latest: _Way | None = None
        self.keys = Keyspace(prefix, partitions)
        repeats = (
            self._given is not None
            and pool_of(self._given) is None
            and repeats_by_itself(self._given)
        )
        noted = _noted_over(self._given) if index else None
        self._terms = Terms(deadline, repeats, durability_of(durability, replicas), noted, observer)
        is_single = self._address is not None and not self._address.kind
        self._patience = _patience(self._terms) if is_single else None

    async def execute(self, cart_id: str, operation: Operation[Result], /) -> Result:
        """As `RedisStore.execute`."""
        flow: Flow[Result] = exchange(self.keys, self._terms, cart_id, operation)
        return await run_async(flow, self._do)

    async def ask(self, key: str, command: tuple[Argument, ...]) -> Any:
        """As `RedisStore.ask`."""
        return await self._do(Send(key, command, self._terms.deadline))

    async def close(self) -> None:
        """Closes the running loop's client if this store opened it."""
        client = self._opened.pop(asyncio.get_running_loop(), None)
        self._latest = None
        if client is not None:
            await client.aclose()

    def _do(self, step: Send | Wait) -> Awaitable[Any]:
        if isinstance(step, Wait):
            return asyncio.sleep(step.seconds)
        way, patience = self._way(), self._patience
        is_last = patience is not None and step.seconds < patience
        if way.batches is not None and step.ask is None and not is_last:
            return way.batches.add(way.pool, step.command, patience, step.aside)
        return self._send(way.client, way.pool, step)

    async def _send(self, client: Any, pool: Any, step: Send) -> Any:
        commands = (step.command, *step.aside)
        if step.ask is not None:
            asked = (*commands, step.ask)
            if pool is None:
                replies = await send_together_async(client, step.key, asked)
            else:
                replies = await send_all_async(pool, asked, self._patience)
            return replies[0], replies[-1]
        if pool is not None:
            # The last attempt: what others have to send may take longer than this one has left.
            return first_reply(await send_all_async(pool, (step.command,), step.seconds))
        if is_cluster(client):
            return first_reply(await send_together_async(client, step.key, commands))
        reply = await client.execute_command(*in_utf8(step.command), **UNDECODED)
        for command in step.aside:
            with contextlib.suppress(Exception):
                await client.execute_command(*in_utf8(command), **UNDECODED)
        return reply

    def _way(self) -> _Way:
        if self._address is None:
            return _Way(None, self._given)
        loop, way = asyncio.get_running_loop(), self._latest
        if way is None or way.loop is not loop:
            if loop not in self._opened:
                self._opened[loop] = open_async_client(self._address, _patience(self._terms))
            way = self._latest = _Way(loop, self._opened[loop])
        return way


class _Way:
    """How an event loop's commands reach the engine: over the client's pool, where it has one."""

    __slots__ = ("batches", "client", "loop", "pool")

    def __init__(self, loop: asyncio.AbstractEventLoop | None, client: Any) -> None:
        self.loop = loop
        self.client = client
        self.pool = pool_of(client)
        self.batches = None if self.pool is None else batches_of(self.pool)


def _noted_over(client: Any) -> Index:
    """A client's; what opens its own clients keeps an index of its own, too."""
    return Index() if client is None else index_of(client)


def _asked_itself(client: Any, step: Send) -> Any:
    """The reply by a client that has its own way to ask, and may know no other."""
    reply = client.execute_command(*in_utf8(step.command), **UNDECODED)
    for command in step.aside:
        with contextlib.suppress(Exception):
            client.execute_command(*in_utf8(command), **UNDECODED)
    return reply


def _patience(terms: Terms) -> float:
    """Seconds that a reply is waited for; a confirmation comes late on purpose."""
    if terms.durability:
        return REPLY_TIMEOUT
    return min(REPLY_TIMEOUT, max(terms.deadline, SHORTEST_ATTEMPT))


def _server_of_last_attempt(address: Address | None, terms: Terms, step: Send) -> Address | None:
    """Where an attempt is to have a connection of its own, whose time-outs end with the deadline.

    A hung engine hangs the handshake of a new connection, too, so it is not the reply alone. A
    cluster or Sentinel first has to be asked for its servers: there it would take longer.
    """
    if address is None or address.kind or step.seconds >= _patience(terms):
        return None
    return address


@cache
def _store_of_url(url: str) -> RedisStore:
    return RedisStore(url)


@cache
def _async_store_of_url(url: str) -> AsyncRedisStore:
    return AsyncRedisStore(url)


def store_for(target: Store | Client | str) -> Store:
    """The store on a client or URL; one URL has one client in a process. A store stays itself.

    Raises:
        TypeError: neither store, client nor URL, or an asyncio client.
        InvalidUrlError: a URL of an unknown scheme.
    """
    if isinstance(target, str):
        return _store_of_url(target)
    if isinstance(target, Client):
        return RedisStore(target)
    _check_store(target, is_async=False)
    return target


def async_store_for(target: AsyncStore | Client | str) -> AsyncStore:
    """`store_for` for asyncio."""
    if isinstance(target, str):
        return _async_store_of_url(target)
    if isinstance(target, Client):
        return AsyncRedisStore(target)
    _check_store(target, is_async=True)
    return target


def _check_store(target: Any, *, is_async: bool) -> None:
    execute = getattr(target, "execute", None)
    if execute is None or inspect.iscoroutinefunction(execute) is not is_async:
        kind = "an asyncio" if is_async else "a"
        raise TypeError(f"{target!r} is not {kind} store, {kind} Redis client or a URL")
