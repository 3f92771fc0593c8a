"""`connections` for asyncio: one connection is acquired for each batch of commands."""

from __future__ import annotations

import time
from typing import Any, Protocol

from ecart.stores.redis.transport import connections
from ecart.stores.redis.transport.connections import arguments_of_get


class AsyncConnectionSource(Protocol):
    """`ConnectionSource` for asyncio."""

    async def acquire(self) -> Any:
        """A connection, alive as far as the pool can tell. Release or discard it."""
        ...

    async def release(self, connection: Any, /) -> None:
        """Returns a connection on which no reply is outstanding."""
        ...

    async def discard(self, connection: Any, /) -> None:
        """Returns a connection on which a command failed."""
        ...


class AsyncPoolConnections:
    """Connections of a pool that others may use, too: each goes back after its batch."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def acquire(self) -> Any:
        """A connection from the pool."""
        return await _acquire_from(self._pool)

    async def release(self, connection: Any, /) -> None:
        """Returns it to the pool."""
        await self._pool.release(connection)

    discard = release


class AsyncCachedConnections:
    """Connections of a pool that only this store uses: reused without the pool's check.

    A connection that the engine has closed is never reused: the event loop has seen its end.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._free: list[Any] = []
        self._until = 0.0

    async def acquire(self) -> Any:
        """A free connection; else one from the pool."""
        if time.monotonic() >= self._until:
            await self._return_to_pool()
        while self._free:
            connection = self._free.pop()
            if not _is_at_end(connection):
                return connection
            await self._pool.release(connection)
        return await _acquire_from(self._pool)

    async def release(self, connection: Any, /) -> None:
        """Puts it on the free list."""
        self._free.append(connection)

    async def discard(self, connection: Any, /) -> None:
        """Hands it to the pool, and all others at the next `acquire`."""
        self._until = 0.0
        await self._pool.release(connection)

    async def _return_to_pool(self) -> None:
        self._until = time.monotonic() + connections.REUSE_SECONDS
        while self._free:
            await self._pool.release(self._free.pop())


def _is_at_end(connection: Any) -> bool:
    at_eof = getattr(getattr(connection, "_reader", None), "at_eof", None)
    return at_eof is not None and at_eof()


async def _acquire_from(pool: Any) -> Any:
    return await pool.get_connection(*arguments_of_get(type(pool).get_connection))
