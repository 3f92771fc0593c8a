"""Several commands for one key, sent together over one connection, each with its own reply.

A reply that is an error is given back as one; an error of the connection is raised. On a cluster
the client finds the node; a half-moved slot is followed here. redis-py's asyncio client sends
`ASKING` over another connection than what it is for. Its sync client, asked to go to a node that
it does not know yet, lends one connection to two threads, which then read each other's replies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from ecart.stores.redis.lenders import PoolLender, lender_of
from ecart.stores.redis.pooled import UNDECODED, Command, in_utf8, send_all

ASKING = ("ASKING",)


def is_cluster(client: Any) -> bool:
    """Whether a client finds the node of each key."""
    return hasattr(client, "get_node_from_key")


def send_together(client: Any, key: str, commands: Sequence[Command]) -> list[Any]:
    """The replies, by a sync client."""
    if not is_cluster(client):
        return _pipelined(client, commands)
    try:
        replies = _pipelined(_server(client, client.get_node_from_key(key)), commands)
        asked = asked_node(client, replies[0])
        if asked is not None:
            return _pipelined(_server(client, asked), [ASKING, *commands])[1:]
        if has_moved(replies[0]):
            client.nodes_manager.initialize()
    except Exception:
        with contextlib.suppress(Exception):
            client.nodes_manager.initialize()
        raise
    return replies


def _server(client: Any, node: Any) -> Any:
    """The client of one node; redis-py and valkey-py name it after themselves."""
    if hasattr(client, "get_redis_connection"):
        return client.get_redis_connection(node)
    return client.get_valkey_connection(node)


def first_reply(replies: list[Any]) -> Any:
    """The reply to the command that matters, which goes first; raised if it is an error."""
    reply = replies[0]
    if isinstance(reply, Exception):
        raise reply
    return reply


def _pipelined(client: Any, commands: Sequence[Command]) -> list[Any]:
    lender = lender_of(client, PoolLender)
    if lender is not None:
        return send_all(lender, commands)
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*in_utf8(command), **UNDECODED)
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    return replies


def asked_node(client: Any, reply: Any) -> Any:
    """The node that a half-moved slot is moving to, if the reply says so and it is known."""
    if type(reply).__name__ != "AskError":
        return None
    return client.get_node(host=reply.host, port=reply.port)


def has_moved(reply: Any) -> bool:
    """Whether the reply tells that the client's map of the cluster is out of date."""
    return type(reply).__name__ in ("MovedError", "AskError", "ClusterDownError")
