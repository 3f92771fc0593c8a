"""How callers come to carts on a cluster or behind Sentinels: by a URL, or by clients of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.cluster import ClusterNode
from redis.sentinel import Sentinel

from ecart import AsyncRedisStore, RedisStore
from topologies.load import Opened, Way
from topologies.sentinels import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from topologies.cluster import Cluster
    from topologies.sentinels import Sentinels

BY_URL = ("url-sync", "url-async")
"""What a URL opens repeats nothing by itself."""
WAYS = (*BY_URL, "client-sync", "client-async")
"""A client is as redis-py makes it, with its own repeats; without time-outs it would hang."""

_TIMEOUTS: dict[str, Any] = {"socket_timeout": 2.0, "socket_connect_timeout": 1.0}


def way_to_cluster(cluster: Cluster, name: str, **options: Any) -> Way:
    """A way of this name; `options` are the store's."""
    ports = [node.port for node in cluster.nodes]

    def client() -> Any:
        nodes = [ClusterNode("127.0.0.1", port) for port in ports]
        return redis.RedisCluster(startup_nodes=nodes, **_TIMEOUTS)

    def async_client() -> Any:
        nodes = [redis.asyncio.cluster.ClusterNode("127.0.0.1", port) for port in ports]
        return redis.asyncio.RedisCluster(startup_nodes=nodes, **_TIMEOUTS)

    url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)
    return _way(name, url, {"client-sync": client, "client-async": async_client}, options)


def way_to_sentinels(sentinels: Sentinels, name: str, **options: Any) -> Way:
    """A way of this name; `options` are the store's."""
    places = [("127.0.0.1", sentinel.port) for sentinel in sentinels.sentinels]

    def client() -> Any:
        watch = Sentinel(places, sentinel_kwargs=_TIMEOUTS, **_TIMEOUTS)
        return watch.master_for(SERVICE)

    def async_client() -> Any:
        watch = redis.asyncio.Sentinel(places, sentinel_kwargs=_TIMEOUTS, **_TIMEOUTS)
        return watch.master_for(SERVICE)

    url = "redis+sentinel://" + ",".join(f"{host}:{port}" for host, port in places)
    makers = {"client-sync": client, "client-async": async_client}
    return _way(name, f"{url}/{SERVICE}", makers, options)


def _way(
    name: str, url: str, clients: dict[str, Callable[[], Any]], options: dict[str, Any]
) -> Way:
    is_async = name.endswith("-async")
    kind: Any = AsyncRedisStore if is_async else RedisStore

    def open_it() -> Opened:
        if name in BY_URL:
            store = kind(url, **options)
            return Opened(store, store.close)
        client = clients[name]()
        return Opened(kind(client, **options), client.aclose if is_async else client.close)

    return Way(name, is_async, open_it)
