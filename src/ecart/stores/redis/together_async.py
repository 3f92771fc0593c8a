"""`together` for asyncio."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from ecart.stores.redis.lenders import pool_of
from ecart.stores.redis.lenders_async import AsyncPoolLender
from ecart.stores.redis.pooled import UNDECODED, Command, in_utf8, is_of_connection
from ecart.stores.redis.pooled_async import send_all_async
from ecart.stores.redis.together import ASKING, asked_node, has_moved, is_cluster


async def send_together_async(client: Any, key: str, commands: Sequence[Command]) -> list[Any]:
    """The replies, by an asyncio client."""
    if not is_cluster(client):
        return await _pipelined_async(client, commands)
    try:
        await client.initialize()
        replies = await _on_node(client.get_node_from_key(key), commands)
        asked = asked_node(client, replies[0])
        if asked is not None:
            return (await _on_node(asked, [ASKING, *commands]))[1:]
        if has_moved(replies[0]):
            await client.nodes_manager.initialize()
    except Exception:
        with contextlib.suppress(Exception):
            await client.nodes_manager.initialize()
        raise
    return replies


async def _pipelined_async(client: Any, commands: Sequence[Command]) -> list[Any]:
    pool = pool_of(client)
    if pool is not None:
        return await send_all_async(AsyncPoolLender(pool), commands)
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*in_utf8(command), **UNDECODED)
    replies: list[Any] = await pipeline.execute(raise_on_error=False)
    return replies


class _Sent:
    """A command as a node of an asyncio cluster client takes it, and leaves its reply in."""

    def __init__(self, command: Command) -> None:
        self.args = in_utf8(command)
        self.kwargs = dict(UNDECODED)
        self.result: Any = None


async def _on_node(node: Any, commands: Sequence[Command]) -> list[Any]:
    sent = [_Sent(command) for command in commands]
    await node.execute_pipeline(sent)
    for command in sent:
        if is_of_connection(command.result):
            raise command.result
    return [command.result for command in sent]
