"""`pooled` for asyncio: commands over the connections of an asyncio client's pool."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ecart.stores.redis.pooled import (
    UNDECODED_OR_CLOSED,
    Command,
    arguments_of_get,
    is_of_connection,
    packed_all,
)


async def send_all_async(
    pool: Any, commands: Sequence[Command], seconds: float | None = None
) -> list[Any]:
    """`send_all` for asyncio, for so many seconds in all, where the connections have no time-out.

    Raises:
        TimeoutError: it took longer; what was sent may have been executed.
    """
    async with asyncio.timeout(seconds):
        connection = await borrowed(pool)
        try:
            return await send_over(connection, commands)
        finally:
            await pool.release(connection)


async def borrowed(pool: Any) -> Any:
    """A connection of an asyncio client's pool, to be given back by `pool.release`."""
    return await pool.get_connection(*arguments_of_get(type(pool).get_connection))


async def send_over(connection: Any, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands over a connection; errors told are among them."""
    await connection.send_packed_command((packed_all(commands),), False)
    return [await _read_async(connection) for _ in commands]


async def _read_async(connection: Any) -> Any:
    try:
        return await connection.read_response(**UNDECODED_OR_CLOSED)
    except Exception as error:
        if is_of_connection(error):
            raise
        return error
