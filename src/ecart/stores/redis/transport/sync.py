"""Transports for threads: how a step's commands reach the engine, one class per kind of client.

A transport is chosen once, when the client is known, and has one method. A new kind of client is
a new class here, and nothing changes in the store.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ecart.stores.redis.clients import open_client
from ecart.stores.redis.retries import SendStep
from ecart.stores.redis.transport.cluster import (
    ASKING,
    asked_node,
    client_of_node,
    is_cluster,
    is_redirection,
)
from ecart.stores.redis.transport.connections import (
    CachedConnections,
    ConnectionSource,
    PoolConnections,
    connections_of,
)
from ecart.stores.redis.transport.wire import (
    READ_OPTIONS,
    UNDECODED,
    Command,
    in_utf8,
    is_server_error,
    packed,
)
from ecart.stores.redis.urls import Address


class Transport(Protocol):
    """Sends the commands of a step to the engine that has its key."""

    def send(self, step: SendStep, /) -> list[Any]:
        """The reply to the step's command first, that to its `confirm` last.

        Raises the first reply if that is an error.
        """
        ...


class PoolTransport:
    """Over connections of a plain client's pool."""

    def __init__(self, source: ConnectionSource) -> None:
        self._source = source

    def send(self, step: SendStep) -> list[Any]:
        if step.confirm is None and not step.piggyback:
            return [send_one(self._source, step.command)]
        return checked(send_all(self._source, step.commands))


def send_one(source: ConnectionSource, command: Command) -> Any:
    """The reply to one command; a server error is raised."""
    connection = source.acquire()
    try:
        connection.send_packed_command((packed(command),))
        reply = connection.read_response(**READ_OPTIONS)
    except BaseException as error:
        _discard(source, connection, error)
        raise
    source.release(connection)
    return reply


def send_all(source: ConnectionSource, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands sent in one packet; server errors are among them."""
    connection = source.acquire()
    try:
        connection.send_packed_command((b"".join(map(packed, commands)),))
        replies = [_read(connection) for _ in commands]
    except BaseException as error:
        _discard(source, connection, error)
        raise
    source.release(connection)
    return replies


def _discard(source: ConnectionSource, connection: Any, error: BaseException) -> None:
    # A signal may interrupt a call between sending and reading: the reply is still to come.
    if not is_server_error(error):
        connection.disconnect()
    source.discard(connection)


def _read(connection: Any) -> Any:
    try:
        return connection.read_response(**READ_OPTIONS)
    except Exception as error:
        if not is_server_error(error):
            raise
        return error


class ClientTransport:
    """By a client's own calls: it wraps, traces or caches them, and may know no others."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, step: SendStep) -> list[Any]:
        if step.confirm is not None:
            return checked(_pipelined(self._client, step.commands))
        reply = self._call(step.command)
        for command in step.piggyback:
            with contextlib.suppress(Exception):
                self._call(command)
        return [reply]

    def _call(self, command: Command) -> Any:
        return self._client.execute_command(*in_utf8(command), **UNDECODED)


class ClusterTransport:
    """To the node that has the key; the redirections of moving slots are followed."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, step: SendStep) -> list[Any]:
        client, commands = self._client, step.commands
        try:
            node = client.get_node_from_key(step.key)
            replies = _pipelined(client_of_node(client, node), commands)
            asked = asked_node(client, replies[0])
            if asked is not None:
                replies = _pipelined(client_of_node(client, asked), [ASKING, *commands])[1:]
            elif is_redirection(replies[0]):
                client.nodes_manager.initialize()
        except Exception:
            with contextlib.suppress(Exception):
                client.nodes_manager.initialize()
            raise
        return checked(replies)


class UrlTransport:
    """By a client of its own, opened from a URL at first use.

    Not earlier, since a cluster's client connects when it is made.
    """

    def __init__(self, address: Address, reply_timeout: float) -> None:
        self._address = address
        self._reply_timeout = reply_timeout
        self._opening = threading.Lock()
        self._client: Any = None
        self._transport: Transport | None = None

    def send(self, step: SendStep) -> list[Any]:
        is_short = step.seconds < self._reply_timeout and step.confirm is None
        if is_short and not self._address.kind:
            return self._send_alone(step)
        return (self._transport or self._open()).send(step)

    def close(self) -> None:
        """Closes the client; another is opened when it is needed."""
        with self._opening:
            if self._client is not None:
                self._client.close()
                self._client = self._transport = None

    def _send_alone(self, step: SendStep) -> list[Any]:
        """An attempt over a connection of its own, whose time-outs end with the deadline.

        A hung engine hangs the handshake of a new connection, too, so it is not the reply alone. A
        cluster or Sentinel first has to be asked for its servers: there it would take longer.
        """
        with open_client(self._address, step.seconds) as client:
            return [send_one(PoolConnections(client.connection_pool), step.command)]

    def _open(self) -> Transport:
        with self._opening:
            if self._transport is None:
                self._client = open_client(self._address, self._reply_timeout)
                self._transport = transport_of(self._client, CachedConnections)
            return self._transport


def transport_of(
    client: Any, kind: Callable[[Any], ConnectionSource] = PoolConnections
) -> Transport:
    """The transport for an open client."""
    source = connections_of(client, kind)
    if source is not None:
        return PoolTransport(source)
    return ClusterTransport(client) if is_cluster(client) else ClientTransport(client)


def _pipelined(client: Any, commands: Sequence[Command]) -> list[Any]:
    source = connections_of(client, PoolConnections)
    if source is not None:
        return send_all(source, commands)
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*in_utf8(command), **UNDECODED)
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    return replies


def checked(replies: list[Any]) -> list[Any]:
    """The replies; the first is raised if it is an error."""
    if isinstance(replies[0], Exception):
        raise replies[0]
    return replies
