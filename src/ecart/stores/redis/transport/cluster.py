"""The nodes of a cluster: which one has a key, and what its redirections mean.

A cluster maps each key to one of 16,384 slots, and each slot to a node. A client caches that map.
`MOVED` means that the map is out of date; `ASK` that a slot is being moved, and this key has
already arrived at the other node, which answers only after an `ASKING` over the same connection.

redis-py's own handling of `ASK` is not used (decision 9): its asyncio client sends `ASKING` over
another connection than the command, and its sync client, sent to a node that it does not know yet,
gives one connection to two threads. So a command and its `ASKING` go in one packet here, over a
connection of the node's own client.
"""

from __future__ import annotations

from typing import Any

ASKING = ("ASKING",)


def is_cluster(client: Any) -> bool:
    """Whether a client finds the node of each key."""
    return hasattr(client, "get_node_from_key")


def client_of_node(client: Any, node: Any) -> Any:
    """The client of one node; redis-py and valkey-py name it after themselves."""
    if hasattr(client, "get_redis_connection"):
        return client.get_redis_connection(node)
    return client.get_valkey_connection(node)


def asked_node(client: Any, reply: Any) -> Any:
    """The node that an `ASK` names, if the reply is one and the node is known; else None."""
    if type(reply).__name__ != "AskError":
        return None
    return client.get_node(host=reply.host, port=reply.port)


def is_redirection(reply: Any) -> bool:
    """Whether the reply shows that the client's map of the slots is out of date."""
    return type(reply).__name__ in ("MovedError", "AskError", "ClusterDownError")
