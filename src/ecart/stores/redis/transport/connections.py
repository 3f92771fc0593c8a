"""Connections: acquired from a client's pool for a command, then released, or discarded.

redis-py and valkey-py check a connection's liveness whenever their pool hands one out: a system
call that polls the socket, a lock, and since redis-py 7 events for metrics. For one small command
over a local socket that is a tenth of the whole call.

`PoolConnections` takes that as it is. It serves clients that the caller handed in: their pool may
be shared, so each connection goes back at once, and the pool's limits hold.

`CachedConnections` serves pools that only a store uses, because the store opened the client from a
URL. Released connections go onto a free list, last in, first out, and are handed out again without
a check. The check is not lost, it is made less often, as in HikariCP: every half second the whole
free list goes back to the pool, which checks each connection when it next hands it out. The same
happens at once after any failure, since what broke one connection may have broken all of them. In
between, a connection that the engine has closed costs one failed attempt, which is retried as any
lost reply is (see `retries`). The asyncio twin has no such gap: its event loop has already seen
the end of the stream.

Only the plain clients of redis-py and valkey-py are known this well: one server, or Sentinel.
Clients that wrap, replace or cache calls, and those of a cluster, are called as clients; see
`transport.sync`. After a fork, a child empties the free list: the sockets are the parent's.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Hashable
from functools import cache, partial
from types import FunctionType
from typing import Any, Protocol, TypeVar

Connections = TypeVar("Connections")

_LIBRARIES = ("redis.", "valkey.")

REUSE_SECONDS = 0.5
"""How long connections are reused before their pool checks them again."""


class ConnectionSource(Protocol):
    """Checks connections out of a pool. Implementations may bind pool methods, to save a call."""

    @property
    def acquire(self) -> Callable[[], Any]:
        """A connection, alive as far as the pool can tell. Release or discard it."""
        ...

    @property
    def release(self) -> Callable[[Any], None]:
        """Returns a connection on which no reply is outstanding."""
        ...

    @property
    def discard(self) -> Callable[[Any], None]:
        """Returns a connection on which a command failed."""
        ...


class PoolConnections:
    """Connections of a pool that others may use, too: each goes back after its command."""

    def __init__(self, pool: Any) -> None:
        self.acquire = _acquire_from(pool)
        self.release = self.discard = pool.release


class CachedConnections:
    """Connections of a pool that only this store uses: reused without the pool's check."""

    def __init__(self, pool: Any) -> None:
        self._acquire_from_pool, self._release_to_pool = _acquire_from(pool), pool.release
        self._free: list[Any] = []
        self._until = 0.0
        self._pid = os.getpid()
        self.release = self._free.append

    def acquire(self) -> Any:
        """A free connection; else one from the pool."""
        if self._pid != os.getpid():
            self._free.clear()
            self._pid = os.getpid()
        if time.monotonic() >= self._until:
            self._return_to_pool()
        try:
            return self._free.pop()
        except IndexError:
            return self._acquire_from_pool()

    def discard(self, connection: Any) -> None:
        """Hands it to the pool, and all others at the next `acquire`."""
        self._until = 0.0
        self._release_to_pool(connection)

    def _return_to_pool(self) -> None:
        self._until = time.monotonic() + REUSE_SECONDS
        # One by one, so that of two threads neither returns what the other has taken.
        while self._free:
            try:
                self._release_to_pool(self._free.pop())
            except IndexError:
                return


def _acquire_from(pool: Any) -> Callable[[], Any]:
    arguments, acquire = arguments_of_get(type(pool).get_connection), pool.get_connection
    return partial(acquire, *arguments) if arguments else acquire


@cache
def arguments_of_get(get_connection: Any) -> tuple[str, ...]:
    """The arguments of `get_connection`: redis-py before 5.3 and valkey-py want a command name."""
    parameter = inspect.signature(get_connection).parameters.get("command_name")
    return ("EVALSHA",) if parameter and parameter.default is inspect.Parameter.empty else ()


def pool_of(client: Any) -> Any:
    """The pool of a plain client; None for a client that must be called itself."""
    pool = getattr(client, "connection_pool", None)
    kinds: Any = (type(client), type(pool))
    if pool is None or not _are_plain(*kinds):
        return None
    # Client-side caching goes through the client; so does one that is bound to one connection.
    is_special = getattr(pool, "cache", None) is not None or client.__dict__.get("connection")
    return None if is_special else pool


@cache
def _are_plain(client: Hashable, pool: Hashable) -> bool:
    call: Any = getattr(client, "execute_command", None)
    return (
        type(call) is FunctionType
        and call.__module__.startswith(_LIBRARIES)
        and getattr(pool, "__module__", "").startswith(_LIBRARIES)
    )


def connections_of(client: Any, kind: Callable[[Any], Connections]) -> Connections | None:
    """The connections of a plain client's pool; None for a client that must be called itself."""
    pool = pool_of(client)
    return None if pool is None else kind(pool)
