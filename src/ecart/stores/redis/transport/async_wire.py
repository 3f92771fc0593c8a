"""`wire` for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any

from ecart.stores.redis.transport.async_connections import AsyncConnectionSource
from ecart.stores.redis.transport.wire import (
    READ_OPTIONS,
    Command,
    is_connection_error,
    is_server_error,
    packed,
)


async def send_all_async(
    source: AsyncConnectionSource, commands: Sequence[Command], seconds: float | None = None
) -> list[Any]:
    """`send_all`, limited to `seconds` in all where connections have no time-out of their own.

    Raises:
        TimeoutError: it took longer; what was sent may have been executed.
    """
    async with asyncio.timeout(seconds):
        connection = await source.acquire()
        try:
            replies = await send_batch(connection, commands)
        except BaseException:
            await source.discard(connection)
            raise
        await source.release(connection)
        return replies


async def send_batch(connection: Any, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands over a connection; server errors are among them.

    The first reply is awaited. Most others came in the same packet: hiredis has parsed them, and
    they are taken without awaiting each (decision 36).
    """
    await connection.send_packed_command((b"".join(map(packed, commands)),), False)
    replies: list[Any] = []
    while len(replies) < len(commands):
        replies.append(await _read(connection))
        if len(replies) < len(commands):
            await _drain_parsed_replies(connection, replies, len(commands))
    return replies


async def _read(connection: Any) -> Any:
    try:
        return await connection.read_response(**READ_OPTIONS)
    except Exception as error:
        if not is_server_error(error):
            raise
        return error


async def _drain_parsed_replies(connection: Any, replies: list[Any], most: int) -> None:
    """Takes replies that hiredis has already parsed, without awaiting."""
    parser: Any = getattr(connection, "_parser", None)
    take = getattr(getattr(parser, "_reader", None), "gets", None)
    if take is None:  # the parser in Python
        return
    try:
        while len(replies) < most:
            reply = take(False)
            if type(reply) is object or reply is False:  # incomplete: the rest is on its way
                return
            if isinstance(reply, list) and type(reply) is not list:  # a push message (RESP3)
                handled = parser.handle_push_response(reply)
                if inspect.isawaitable(handled):
                    await handled
                continue
            if is_connection_error(reply):
                raise reply
            replies.append(reply)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
