"""Store URLs: one server, a cluster or Sentinel.

`redis://`, `rediss://`, `unix://`, `valkey://` and `valkeys://` are as redis-py and valkey-py have
them. `redis+cluster://host:port,host:port` and `redis+sentinel://host:port,host:port/service/0` are
ours: neither client has a form for several servers.
"""

from __future__ import annotations

import inspect
import re
from typing import Any
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


_HINT = (
    "in user and password write %2F for /, %23 for #, %3F for ?, %40 for @, %5B for [ and %5D for ]"
)
_OBJECTS = {
    "self", "args", "kwargs", "command_packer", "credential_provider", "driver_info",
    "encoder_class", "event_dispatcher", "himport_registry",
    "maint_notifications_config", "maint_notifications_pool_handler",
    "maintenance_notification_hash", "maintenance_state",
    "oss_cluster_maint_notifications_handler", "orig_host_address", "orig_socket_connect_timeout",
    "orig_socket_timeout", "parser", "parser_class", "redis_connect_func", "retry",
    "retry_on_error", "socket_keepalive_options", "socket_type", "ssl_ocsp_context",
}  # fmt: skip
"""What redis-py's connections take and no URL can spell."""
_VALUES = {
    "protocol": ("3", "2", 3, 2),
    "ssl_cert_reqs": ("required", "optional", "none"),
}
_DATABASE = re.compile(r"/?\d{0,9}/?")
_RESERVED = re.compile(r"[\[\]@]")


def read_url(url: str) -> Address:
    """Parses a store URL. No message holds a part of it, which could be one of the password.

    Raises:
        InvalidUrlError: its scheme, its form or an option is unknown, or a character in user or
            password is not percent-encoded.
    """
    scheme, separator, rest = url.partition("://")
    name, _, kind = scheme.partition("+")
    if not separator or name not in _SCHEMES or kind not in _KINDS or (kind and name == "unix"):
        raise InvalidUrlError(
            "a store URL begins with redis://, rediss://, unix:// or valkey://; "
            "for clusters with redis+cluster://, for Sentinel with redis+sentinel://"
        )
    if name != "unix":
        _check_encoding(rest)
    address = _one(_SCHEMES[name], rest) if not kind else _several(_SCHEMES[name], kind, rest)
    _check_options(address.url)
    return address


def _check_encoding(rest: str) -> None:
    """Refuses what a reserved character in the password has cut into pieces."""
    authority, after = _split(rest)
    credentials = authority.rpartition("@")[0]
    path, _, query = after.partition("?")
    is_query = all("=" in option for option in query.split("&")) if query else True
    if "#" in after or "@" in path or not is_query or _RESERVED.search(credentials):
        raise InvalidUrlError(f"the store URL cannot be read: {_HINT}")


def _split(rest: str) -> tuple[str, str]:
    """`user:password@host:port`, and what follows it."""
    end = next((at for at, character in enumerate(rest) if character in "/?#"), len(rest))
    return rest[:end], rest[end:]


def _one(scheme: str, rest: str) -> Address:
    if scheme != "unix":
        authority, after = _split(rest)
        _host_and_port(authority.rpartition("@")[2], 0, may_lack_host=True)
        if not _DATABASE.fullmatch(after.partition("?")[0]):
            raise InvalidUrlError(f"a database is a number, as in redis://host/0; {_HINT}")
    return Address("", f"{scheme}://{rest}")


def _check_options(url: str) -> None:
    """Refuses options that redis-py does not know, as it would at the first command."""
    from redis import connection

    try:
        options: dict[str, Any] = connection.parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError:  # whose text may hold what stands in the URL
        options = {"": ""}
    kind = options.pop("connection_class", connection.Connection)
    taken: set[str] = set().union(
        *(inspect.signature(each.__init__).parameters for each in kind.__mro__[:-1])
    )
    known = taken - _OBJECTS | {"max_connections"}
    unknown = [name for name in options if name not in known]
    values = ((options.get(name, good[0]), good) for name, good in _VALUES.items())
    if unknown or any(value not in good for value, good in values):
        named = f" {unknown[0]!r}" if unknown and unknown[0].isidentifier() else ""
        raise InvalidUrlError(
            f"an option{named} of the store URL, or its value, is not known; {_HINT}"
        )


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


def _host_and_port(text: str, port: int, may_lack_host: bool = False) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        if parts.port != 0 and (parts.hostname or may_lack_host):
            return parts.hostname or "", parts.port or port
    except ValueError:  # whose text would hold a part of the password
        pass
    raise InvalidUrlError(f"hosts are given as host:port, ports are 1 to 65535; {_HINT}") from None
