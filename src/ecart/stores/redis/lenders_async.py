"""`lenders` for asyncio: a client's pool lends connections, one for each batch of commands."""

from __future__ import annotations

import time
from typing import Any, Protocol

from ecart.stores.redis import lenders
from ecart.stores.redis.lenders import arguments_of_get


class AsyncLender(Protocol):
    """`Lender` for asyncio."""

    async def take(self) -> Any:
        """A connection, alive as far as the pool can tell. Give it back, or up."""
        ...

    async def give_back(self, connection: Any, /) -> None:
        """Takes back a connection that has nothing more to say."""
        ...

    async def give_up(self, connection: Any, /) -> None:
        """Takes back a connection on which something went wrong."""
        ...


class AsyncPoolLender:
    """Lends a pool's connections. Each goes back at once: the pool may be somebody else's, too."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def take(self) -> Any:
        """A connection from the pool."""
        return await _taken(self._pool)

    async def give_back(self, connection: Any, /) -> None:
        """Hands it to the pool."""
        await self._pool.release(connection)

    give_up = give_back


class AsyncKeepingLender:
    """Keeps what comes back at hand: for a pool that nobody else has (decision 40).

    That the engine has closed a connection is known without asking: the event loop heard of it.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._kept: list[Any] = []
        self._until = 0.0

    async def take(self) -> Any:
        """A kept connection; else one from the pool."""
        if time.monotonic() >= self._until:
            await self._show_pool()
        while self._kept:
            connection = self._kept.pop()
            if not _has_ended(connection):
                return connection
            await self._pool.release(connection)
        return await _taken(self._pool)

    async def give_back(self, connection: Any, /) -> None:
        """Keeps it."""
        self._kept.append(connection)

    async def give_up(self, connection: Any, /) -> None:
        """Hands it to the pool. What broke it may have broken the kept ones: they are looked at."""
        self._until = 0.0
        await self._pool.release(connection)

    async def _show_pool(self) -> None:
        self._until = time.monotonic() + lenders.KEPT_FOR
        while self._kept:
            await self._pool.release(self._kept.pop())


def _has_ended(connection: Any) -> bool:
    at_end = getattr(getattr(connection, "_reader", None), "at_eof", None)
    return at_end is not None and at_end()


async def _taken(pool: Any) -> Any:
    return await pool.get_connection(*arguments_of_get(type(pool).get_connection))
