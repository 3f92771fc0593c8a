"""Transports for asyncio: as those of `transport.sync`, with batches, and one per event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from ecart.stores.redis.clients import open_async_client
from ecart.stores.redis.retries import SendStep
from ecart.stores.redis.transport.async_connections import (
    AsyncCachedConnections,
    AsyncConnectionSource,
    AsyncPoolConnections,
)
from ecart.stores.redis.transport.async_wire import send_all_async
from ecart.stores.redis.transport.batching import batcher_of
from ecart.stores.redis.transport.cluster import ASKING, asked_node, is_cluster, is_redirection
from ecart.stores.redis.transport.connections import connections_of, pool_of
from ecart.stores.redis.transport.sync import checked
from ecart.stores.redis.transport.wire import UNDECODED, Command, in_utf8, is_connection_error
from ecart.stores.redis.urls import Address


class AsyncTransport(Protocol):
    """`Transport` for asyncio."""

    def send(self, step: SendStep, /) -> Awaitable[list[Any]]:
        """As `Transport.send`."""
        ...


class AsyncPoolTransport:
    """Over connections of a plain client's pool, in batches.

    `reply_timeout` limits an attempt whose connections have no time-out of their own.
    """

    def __init__(
        self, pool: Any, source: AsyncConnectionSource, reply_timeout: float | None
    ) -> None:
        self._batcher = batcher_of(pool)
        self._source = source
        self._reply_timeout = reply_timeout

    async def send(self, step: SendStep) -> list[Any]:
        source, reply_timeout = self._source, self._reply_timeout
        if step.confirm is not None:
            return checked(await send_all_async(source, step.commands, reply_timeout))
        if step.seconds < (reply_timeout or 0.0):
            # The last attempt: a batch with others may take longer than this one has left.
            return checked(await send_all_async(source, (step.command,), step.seconds))
        return [await self._batcher.add(source, step.command, reply_timeout, step.piggyback)]


class AsyncClientTransport:
    """By a client's own calls: it wraps, traces or caches them, and may know no others."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def send(self, step: SendStep) -> list[Any]:
        if step.confirm is not None:
            return checked(await _pipelined(self._client, step.commands))
        reply = await self._call(step.command)
        for command in step.piggyback:
            with contextlib.suppress(Exception):
                await self._call(command)
        return [reply]

    async def _call(self, command: Command) -> Any:
        return await self._client.execute_command(*in_utf8(command), **UNDECODED)


class AsyncClusterTransport:
    """To the node that has the key; the redirections of moving slots are followed."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def send(self, step: SendStep) -> list[Any]:
        client, commands = self._client, step.commands
        try:
            await client.initialize()
            replies = await _on_node(client.get_node_from_key(step.key), commands)
            asked = asked_node(client, replies[0])
            if asked is not None:
                replies = (await _on_node(asked, [ASKING, *commands]))[1:]
            elif is_redirection(replies[0]):
                await client.nodes_manager.initialize()
        except Exception:
            with contextlib.suppress(Exception):
                await client.nodes_manager.initialize()
            raise
        return checked(replies)


class AsyncLoopTransport:
    """A transport per event loop: connections cannot be shared between loops.

    The client that is returned by `open_client` for a loop is either the caller's, or one that
    `close` closes.
    """

    def __init__(
        self,
        open_client: Callable[[], Any],
        kind: Callable[[Any], AsyncConnectionSource],
        reply_timeout: float | None,
    ) -> None:
        self._open_client = open_client
        self._kind = kind
        self._reply_timeout = reply_timeout
        self._by_loop: WeakKeyDictionary[Any, tuple[Any, AsyncTransport]] = WeakKeyDictionary()
        self._latest: tuple[Any, AsyncTransport] | None = None

    def send(self, step: SendStep) -> Awaitable[list[Any]]:
        loop, latest = asyncio.get_running_loop(), self._latest
        if latest is None or latest[0] is not loop:
            latest = self._latest = loop, self._transport_in(loop)
        return latest[1].send(step)

    async def close(self) -> None:
        """Closes the running loop's client; another is opened when it is needed."""
        client, _ = self._by_loop.pop(asyncio.get_running_loop(), (None, None))
        self._latest = None
        if client is not None:
            await client.aclose()

    def _transport_in(self, loop: asyncio.AbstractEventLoop) -> AsyncTransport:
        if loop not in self._by_loop:
            client = self._open_client()
            source = connections_of(client, self._kind)
            transport: AsyncTransport
            if source is not None:
                transport = AsyncPoolTransport(client.connection_pool, source, self._reply_timeout)
            elif is_cluster(client):
                transport = AsyncClusterTransport(client)
            else:
                transport = AsyncClientTransport(client)
            self._by_loop[loop] = client, transport
        return self._by_loop[loop][1]


def transport_of_url(address: Address, reply_timeout: float) -> AsyncLoopTransport:
    """The transport for a URL. Only to a single server are connections without a time-out."""
    return AsyncLoopTransport(
        lambda: open_async_client(address, reply_timeout),
        AsyncCachedConnections,
        None if address.kind else reply_timeout,
    )


def transport_of_client(client: Any) -> AsyncLoopTransport:
    """The transport for a client that the caller has opened."""
    return AsyncLoopTransport(lambda: client, AsyncPoolConnections, None)


async def _pipelined(client: Any, commands: Sequence[Command]) -> list[Any]:
    pool = pool_of(client)
    if pool is not None:
        return await send_all_async(AsyncPoolConnections(pool), commands)
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*in_utf8(command), **UNDECODED)
    replies: list[Any] = await pipeline.execute(raise_on_error=False)
    return replies


class _Sent:
    """A command in the form that a node of an asyncio cluster client takes; it holds the reply."""

    def __init__(self, command: Command) -> None:
        self.args = in_utf8(command)
        self.kwargs = dict(UNDECODED)
        self.result: Any = None


async def _on_node(node: Any, commands: Sequence[Command]) -> list[Any]:
    sent = [_Sent(command) for command in commands]
    await node.execute_pipeline(sent)
    for command in sent:
        if is_connection_error(command.result):
            raise command.result
    return [command.result for command in sent]
