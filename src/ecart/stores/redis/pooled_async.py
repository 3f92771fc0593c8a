"""`pooled` for asyncio: commands over the connections of an asyncio client's pool."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any

from ecart.stores.redis.lenders_async import AsyncLender
from ecart.stores.redis.pooled import (
    UNDECODED_OR_CLOSED,
    Command,
    is_of_connection,
    packed_all,
)


async def send_all_async(
    lender: AsyncLender, commands: Sequence[Command], seconds: float | None = None
) -> list[Any]:
    """`send_all` for asyncio, for so many seconds in all, where the connections have no time-out.

    Raises:
        TimeoutError: it took longer; what was sent may have been executed.
    """
    async with asyncio.timeout(seconds):
        connection = await lender.take()
        try:
            replies = await send_over(connection, commands)
        except BaseException:
            await lender.give_up(connection)
            raise
        await lender.give_back(connection)
        return replies


async def send_over(connection: Any, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands over a connection; errors told are among them.

    The first reply is waited for. Most others came in the same packet and lie parsed in hiredis
    and need not be asked for one by one (decision 36).
    """
    await connection.send_packed_command((packed_all(commands),), False)
    replies: list[Any] = []
    while len(replies) < len(commands):
        replies.append(await _read_async(connection))
        if len(replies) < len(commands):
            await _read_what_is_here(connection, replies, len(commands))
    return replies


async def _read_async(connection: Any) -> Any:
    try:
        return await connection.read_response(**UNDECODED_OR_CLOSED)
    except Exception as error:
        if is_of_connection(error):
            raise
        return error


async def _read_what_is_here(connection: Any, replies: list[Any], most: int) -> None:
    """Adds replies that need no waiting. A connection that failed is closed, as by itself."""
    parser = getattr(connection, "_parser", None)
    take = getattr(getattr(parser, "_reader", None), "gets", None)
    if take is None:  # read in Python
        return
    try:
        while len(replies) < most:
            reply = take(False)
            if type(reply) is object or reply is False:  # the rest is still on its way
                return
            if isinstance(reply, list) and type(reply) is not list:
                await _pushed(parser, reply)
                continue
            if is_of_connection(reply):
                raise reply
            replies.append(reply)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


async def _pushed(parser: Any, message: Any) -> None:
    """Hands on what the engine said of itself, between the replies (RESP3)."""
    handled = parser.handle_push_response(message)
    if inspect.isawaitable(handled):
        await handled
