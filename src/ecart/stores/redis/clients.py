"""Clients: what is asked of one, and those that a URL opens: one server, Sentinel, a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

import msgspec

from ecart.errors import InvalidUrlError

CONNECT_TIMEOUT = 1.0
REPLY_TIMEOUT = 2.0
"""Seconds; a reply later than that counts as lost, and the change is repeated."""


@runtime_checkable
class Client(Protocol):
    """What is asked of a client: redis-py's and valkey-py's have it, sync, async and cluster."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Sends one command and returns its reply, or an awaitable of it."""
        ...


_SCHEMES = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis"}
_SCHEMES["valkeys"] = "rediss"
_KINDS = ("", "cluster", "sentinel")
_PORTS = {"cluster": 6379, "sentinel": 26379}


class Address(msgspec.Struct, frozen=True):
    """What a URL says: of what kind the store is, and how redis-py spells one server of it.

    Of a cluster, `servers` are nodes, of which one must answer; of Sentinel, they are sentinels,
    and `service` is what they watch.
    """

    kind: str
    url: str
    servers: tuple[tuple[str, int], ...] = ()
    service: str = ""


def read_url(url: str) -> Address:
    """The address in a URL.

    Raises:
        InvalidUrlError: its scheme or its form is unknown.
    """
    scheme, separator, rest = url.partition("://")
    name, _, kind = scheme.partition("+")
    if not separator or name not in _SCHEMES or kind not in _KINDS or (kind and name == "unix"):
        raise InvalidUrlError(
            "a store URL begins with redis://, rediss://, unix:// or valkey://; "
            "for clusters with redis+cluster://, for Sentinel with redis+sentinel://"
        )
    if not kind:
        return Address("", f"{_SCHEMES[name]}://{rest}")
    return _several(_SCHEMES[name], kind, rest)


def _several(scheme: str, kind: str, rest: str) -> Address:
    """`user:password@host:port,host:port/service/database?options`."""
    parts = urlsplit(f"//{rest}")
    credentials, at, hosts = parts.netloc.rpartition("@")
    servers = tuple(_host_and_port(host, _PORTS[kind]) for host in hosts.split(","))
    path = parts.path.strip("/")
    service = ""
    if kind == "sentinel":
        service, _, path = path.partition("/")
        if not service:
            raise InvalidUrlError("say which service: redis+sentinel://host:port,host:port/service")
    elif path not in ("", "0"):
        raise InvalidUrlError("a cluster has no databases")
    query = f"?{parts.query}" if parts.query else ""
    return Address(
        kind, f"{scheme}://{credentials}{at}localhost/{path}{query}", servers, unquote(service)
    )


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        if parts.hostname:
            return parts.hostname, parts.port or port
    except ValueError as error:
        raise InvalidUrlError(f"{text!r} is no host:port") from error
    raise InvalidUrlError("hosts are given as host:port,host:port")


def open_client(address: Address, seconds: float = REPLY_TIMEOUT) -> Any:
    """A sync client that repeats nothing by itself, and waits no longer than `seconds`.

    That of a cluster connects at once.
    """
    import redis
    from redis.cluster import ClusterNode
    from redis.retry import Retry

    options = {**_time_outs(seconds), **_without_notices(address)}
    return _open(address, redis, ClusterNode, Retry, options)


def open_async_client(address: Address, seconds: float = REPLY_TIMEOUT) -> Any:
    """`open_client` for asyncio. For a single server, who sends says how long to wait.

    A time-out of each reading costs more than the reading.
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
    """A client of redis-py's sync or asyncio side, which have the same names."""
    once = {"retry": retry(_no_backoff(), 0)}
    if not address.kind:
        return library.Redis.from_url(address.url, **once, **time_outs)
    options = {**time_outs, **_server_options(address.url)}
    if address.kind == "cluster":
        nodes = [node(*server) for server in address.servers]
        return library.RedisCluster(startup_nodes=nodes, **once, **_cluster_once(), **options)
    sentinel = library.Sentinel(address.servers, sentinel_kwargs={**once, **time_outs})
    return sentinel.master_for(address.service, **once, **options)


def _without_notices(address: Address) -> dict[str, Any]:
    """With RESP3, redis-py 7 asks for notices to a server's host, which a Unix socket has not."""
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
    """The options in a URL, for clients that find their servers elsewhere."""
    from redis import connection

    parsed: dict[str, Any] = connection.parse_url(url)  # type: ignore[no-untyped-call]
    secure = {"ssl": True} if "connection_class" in parsed else {}
    skipped = ("host", "port", "connection_class")
    options = {name: value for name, value in parsed.items() if name not in skipped}
    return {**secure, **options}


def _no_backoff() -> Any:
    from redis.backoff import NoBackoff

    return NoBackoff()


def _cluster_once() -> dict[str, Any]:
    """Until redis-py 6, a cluster's client counted its repeats beside those of its connections."""
    import redis

    return {"cluster_error_retry_attempts": 0} if int(redis.__version__.split(".")[0]) < 6 else {}


def repeats_by_itself(client: Any) -> bool:
    """Whether a client may send a command again without being told; if in doubt, it may."""
    try:
        retry = client.get_retry()
    except AttributeError:
        # It has no such method, or one that fails: valkey-py's cluster client.
        return True
    return retry is None or getattr(retry, "_retries", 1) != 0
