"""Store URLs: one server, a cluster or Sentinel.

`redis://`, `rediss://`, `unix://`, `valkey://` and `valkeys://` are as redis-py and valkey-py have
them. `redis+cluster://host:port,host:port` and `redis+sentinel://host:port,host:port/service/0` are
ours: neither client has a form for several servers.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import msgspec

from ecart.errors import InvalidUrlError

_SCHEMES = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis"}
_SCHEMES["valkeys"] = "rediss"
_KINDS = ("", "cluster", "sentinel")
_PORTS = {"cluster": 6379, "sentinel": 26379}


class Address(msgspec.Struct, frozen=True):
    """A parsed store URL: its kind, and the URL of one server in redis-py's spelling.

    `kind` is "" for a single server, "cluster" or "sentinel". `servers` are nodes of the cluster,
    of which one must answer, or the sentinels, and `service` is the name of what they watch.
    """

    kind: str
    url: str
    servers: tuple[tuple[str, int], ...] = ()
    service: str = ""


def read_url(url: str) -> Address:
    """Parses a store URL.

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
            raise InvalidUrlError("name the service: redis+sentinel://host:port,host:port/service")
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
