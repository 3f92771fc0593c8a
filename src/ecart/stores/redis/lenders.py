"""Where connections come from: a client's pool lends them, one for each command.

Only redis-py's and valkey-py's plain clients are known that well (one server, or Sentinel). What
wraps, replaces or caches their calls is asked as a client, and so is a cluster's.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Hashable
from functools import cache, partial
from types import FunctionType
from typing import Any, Protocol, TypeVar

AnyLender = TypeVar("AnyLender")

_LIBRARIES = ("redis.", "valkey.")

KEPT_FOR = 0.5
"""Seconds that connections are kept at hand before their pool looks at them again."""


def pool_of(client: Any) -> Any:
    """The pool to take connections from; None if the client is to be asked itself."""
    pool = getattr(client, "connection_pool", None)
    kinds: Any = (type(client), type(pool))
    if pool is None or not _are_plain(*kinds):
        return None
    # Client-side caching goes through the client; so does one that keeps to a single connection.
    is_special = getattr(pool, "cache", None) is not None or client.__dict__.get("connection")
    return None if is_special else pool


@cache
def _are_plain(client: Hashable, pool: Hashable) -> bool:
    call: Any = getattr(client, "execute_command", None)
    return (
        type(call) is FunctionType
        and call.__module__.startswith(_LIBRARIES)
        and getattr(pool, "__module__", "").startswith(_LIBRARIES)
    )


@cache
def arguments_of_get(get_connection: Any) -> tuple[str, ...]:
    """redis-py's pools wanted the command's name until 5.3; valkey-py's do."""
    parameter = inspect.signature(get_connection).parameters.get("command_name")
    return ("EVALSHA",) if parameter and parameter.default is inspect.Parameter.empty else ()


class Lender(Protocol):
    """Lends connections. Attributes will do: where nothing is to be done, nothing is called."""

    @property
    def take(self) -> Callable[[], Any]:
        """A connection, alive as far as the pool can tell. Give it back, or up."""
        ...

    @property
    def give_back(self) -> Callable[[Any], None]:
        """Takes back a connection that has nothing more to say."""
        ...

    @property
    def give_up(self) -> Callable[[Any], None]:
        """Takes back a connection on which something went wrong."""
        ...


class PoolLender:
    """Lends a pool's connections. Each goes back at once: the pool may be somebody else's, too."""

    def __init__(self, pool: Any) -> None:
        self.take = _taking(pool)
        self.give_back = self.give_up = pool.release


class KeepingLender:
    """Keeps what comes back at hand: for a pool that nobody else has.

    A pool looks whether a connection is alive whenever it lends it, which takes longer than all
    that a store has to do (decision 40). Here it looks every half second, and after a failure.
    """

    def __init__(self, pool: Any) -> None:
        self._take_new, self._release = _taking(pool), pool.release
        self._kept: list[Any] = []
        self._until = 0.0
        self._pid = os.getpid()
        self.give_back = self._kept.append

    def take(self) -> Any:
        """A kept connection; else one from the pool."""
        if self._pid != os.getpid():
            # In a forked child the sockets are the parent's; the pool begins anew by itself.
            self._kept.clear()
            self._pid = os.getpid()
        if time.monotonic() >= self._until:
            self._show_pool()
        try:
            return self._kept.pop()
        except IndexError:
            return self._take_new()

    def give_up(self, connection: Any) -> None:
        """Hands it to the pool. What broke it may have broken the kept ones: they are looked at."""
        self._until = 0.0
        self._release(connection)

    def _show_pool(self) -> None:
        self._until = time.monotonic() + KEPT_FOR
        # One by one, so that of two threads neither hands in what the other has.
        while self._kept:
            try:
                self._release(self._kept.pop())
            except IndexError:
                return


def _taking(pool: Any) -> Callable[[], Any]:
    arguments, take = arguments_of_get(type(pool).get_connection), pool.get_connection
    return partial(take, *arguments) if arguments else take


def lender_of(client: Any, kind: Callable[[Any], AnyLender]) -> AnyLender | None:
    """Who lends a client's connections; None if the client is to be asked itself."""
    pool = pool_of(client)
    return None if pool is None else kind(pool)
