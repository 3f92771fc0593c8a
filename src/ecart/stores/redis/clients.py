"""Clients: what is asked of one, and those that a URL opens."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

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


def open_client(url: str) -> Any:
    """A sync client for a URL, that repeats nothing by itself."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(known_scheme(url), retry=Retry(NoBackoff(), 0), **_TIMEOUTS)


def open_async_client(url: str) -> Any:
    """An asyncio client for a URL, that repeats nothing by itself."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis.from_url(known_scheme(url), retry=Retry(NoBackoff(), 0), **_TIMEOUTS)


_TIMEOUTS: dict[str, Any] = {
    "socket_connect_timeout": CONNECT_TIMEOUT,
    "socket_timeout": REPLY_TIMEOUT,
}
_SCHEMES = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis"}
_SCHEMES["valkeys"] = "rediss"


def known_scheme(url: str) -> str:
    """The URL with a scheme that redis-py knows.

    Raises:
        InvalidUrlError: none that means the same.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise InvalidUrlError("a store URL begins with redis://, rediss://, unix:// or valkey://")
    return f"{_SCHEMES[scheme]}://{rest}"


def repeats_by_itself(client: Any) -> bool:
    """Whether a client may send a command again without being told; if in doubt, it may."""
    try:
        retry = client.get_retry()
    except AttributeError:
        # It has no such method, or one that fails: valkey-py's cluster client.
        return True
    return retry is None or getattr(retry, "_retries", 1) != 0
