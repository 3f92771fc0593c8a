"""Redis clients: what the store needs of one, and those that it opens itself from a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ecart.stores.redis.urls import Address

CONNECT_TIMEOUT = 1.0
REPLY_TIMEOUT = 2.0
"""Seconds. A reply that takes longer counts as lost, and the change is retried."""


@runtime_checkable
class Client(Protocol):
    """A Redis client: those of redis-py and valkey-py are, sync, asyncio and cluster."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Sends one command and returns its reply, or an awaitable of it."""
        ...


def open_client(address: Address, seconds: float = REPLY_TIMEOUT) -> Any:
    """Opens a sync client that retries nothing by itself, with time-outs of at most `seconds`.

    A cluster's client connects at once.
    """
    import redis
    from redis.cluster import ClusterNode
    from redis.retry import Retry

    options = {**_time_outs(seconds), **_without_maintenance_notices(address)}
    return _open(address, redis, ClusterNode, Retry, options)


def open_async_client(address: Address, seconds: float = REPLY_TIMEOUT) -> Any:
    """`open_client` for asyncio. For a single server, the sender limits how long it waits.

    A time-out for each read of the socket costs more than the read itself.
    """
    import redis.asyncio
    from redis.asyncio.cluster import ClusterNode
    from redis.asyncio.retry import Retry

    time_outs: dict[str, float | None] = {**_time_outs(seconds)}
    if not address.kind:
        time_outs["socket_timeout"] = None
    return _open(address, redis.asyncio, ClusterNode, Retry, time_outs)


def _open(
    address: Address, library: Any, node: Any, retry: Any, time_outs: Mapping[str, Any]
) -> Any:
    """A client of redis-py's sync or asyncio side, whose names are the same."""
    from redis.backoff import NoBackoff

    once = {"retry": retry(NoBackoff(), 0)}
    if not address.kind:
        return library.Redis.from_url(address.url, **once, **time_outs)
    options = {**time_outs, **_server_options(address.url)}
    if address.kind == "cluster":
        nodes = [node(*server) for server in address.servers]
        return library.RedisCluster(startup_nodes=nodes, **once, **_cluster_options(), **options)
    sentinel = library.Sentinel(address.servers, sentinel_kwargs={**once, **time_outs})
    return sentinel.master_for(address.service, **once, **options)


def _without_maintenance_notices(address: Address) -> dict[str, Any]:
    """redis-py 7 enables maintenance notices under RESP3. They need a host; a socket has none."""
    import redis

    if not address.url.startswith("unix:") or not redis.__version__.startswith("7."):
        return {}
    from redis.maint_notifications import MaintNotificationsConfig

    return {"maint_notifications_config": MaintNotificationsConfig(enabled=False)}


def _time_outs(seconds: float) -> dict[str, float]:
    return {
        "socket_connect_timeout": min(CONNECT_TIMEOUT, seconds),
        "socket_timeout": min(REPLY_TIMEOUT, seconds),
    }


def _server_options(url: str) -> dict[str, Any]:
    """The options in a URL, for clients that discover their servers."""
    from redis import connection

    parsed: dict[str, Any] = connection.parse_url(url)  # type: ignore[no-untyped-call]
    secure = {"ssl": True} if "connection_class" in parsed else {}
    skipped = ("host", "port", "connection_class")
    options = {name: value for name, value in parsed.items() if name not in skipped}
    return {**secure, **options}


def _cluster_options() -> dict[str, Any]:
    """Before redis-py 6, a cluster's client had retries of its own, beside its connections'."""
    import redis

    return {"cluster_error_retry_attempts": 0} if int(redis.__version__.split(".")[0]) < 6 else {}


def retries_by_itself(client: Any) -> bool:
    """Whether a client may send a command again on its own; True if that cannot be known."""
    try:
        retry = client.get_retry()
    except AttributeError:
        # It has no such method, or one that fails: valkey-py's cluster client.
        return True
    return retry is None or getattr(retry, "_retries", 1) != 0
