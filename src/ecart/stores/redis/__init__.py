"""Carts in Redis or Valkey: each change is one script call on one key.

A client is known by its method `execute_command`, not by its class: redis-py's and valkey-py's,
standalone, Sentinel and cluster, decoding or not. It is used as it is and never closed here.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from ecart.store import AsyncStore, Store
from ecart.stores.redis.clients import Client
from ecart.stores.redis.store import RedisStore

if TYPE_CHECKING:  # asyncio is imported only where it is used
    from ecart.stores.redis.async_store import AsyncRedisStore

__all__ = ["AsyncRedisStore", "Client", "RedisStore", "async_store_for", "store_for"]


def __getattr__(name: str) -> Any:
    if name == "AsyncRedisStore":
        return _async_kind()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _async_kind() -> type[AsyncRedisStore]:
    from ecart.stores.redis.async_store import AsyncRedisStore

    return AsyncRedisStore


@cache
def _store_of_url(url: str) -> RedisStore:
    return RedisStore(url)


@cache
def _async_store_of_url(url: str) -> AsyncRedisStore:
    return _async_kind()(url)


def store_for(target: Store | Client | str) -> Store:
    """The store for a client or URL; a store is returned as it is. A URL has one per process.

    Raises:
        TypeError: neither store, client nor URL, or an asyncio client.
        InvalidUrlError: a URL of an unknown scheme.
    """
    if isinstance(target, str):
        return _store_of_url(target)
    given: Any = target
    if _is_client(given):
        return RedisStore(given)
    store: Store = _checked(given, is_async=False)
    return store


def async_store_for(target: AsyncStore | Client | str) -> AsyncStore:
    """`store_for` for asyncio."""
    if isinstance(target, str):
        return _async_store_of_url(target)
    given: Any = target
    if _is_client(given):
        return _async_kind()(given)
    store: AsyncStore = _checked(given, is_async=True)
    return store


def _is_client(target: object) -> bool:
    # What `isinstance` of the protocol would check, in a fraction of its time.
    return hasattr(target, "execute_command")


def _checked(target: Any, *, is_async: bool) -> Any:
    execute = getattr(target, "execute", None)
    if execute is None or inspect.iscoroutinefunction(execute) is not is_async:
        kind = "an asyncio" if is_async else "a"
        raise TypeError(f"{target!r} is not {kind} store, {kind} Redis client or a URL")
    return target
