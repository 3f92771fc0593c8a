"""Commands over connections of a client's own pool: less work for each than by the client itself.

Only redis-py's and valkey-py's plain clients are known that well (one server, or Sentinel). What
wraps, replaces or caches their calls is asked as a client, and so is a cluster's.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterable, Sequence
from functools import cache
from types import FunctionType
from typing import Any, TypeGuard

Command = tuple[Any, ...]

_LIBRARIES = ("redis.", "valkey.")

# Replies come as bytes whatever the client decodes; redis-py and valkey-py know the name.
UNDECODED = {"NEVER_DECODE": True}

# Closed by itself where a reply does not come: the next caller must not read it later. That is
# what connections do, but not the sync ones to what Sentinel watches, unless they are told to.
UNDECODED_OR_CLOSED = {"disable_decoding": True, "disconnect_on_error": True}


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


def send_one(pool: Any, command: Command) -> Any:
    """The reply to one command; an error that it tells is raised."""
    connection = pool.get_connection(*arguments_of_get(type(pool).get_connection))
    try:
        connection.send_packed_command((packed(command),))
        return connection.read_response(**UNDECODED_OR_CLOSED)
    finally:
        pool.release(connection)


def send_all(pool: Any, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands that go over one connection; errors told are among them."""
    connection = pool.get_connection(*arguments_of_get(type(pool).get_connection))
    try:
        connection.send_packed_command((packed_all(commands),))
        return [_read(connection) for _ in commands]
    finally:
        pool.release(connection)


def _read(connection: Any) -> Any:
    try:
        return connection.read_response(**UNDECODED_OR_CLOSED)
    except Exception as error:
        if is_of_connection(error):
            raise
        return error


def is_of_connection(reply: object) -> TypeGuard[Exception]:
    """Whether this is an error of the connection, and not one that the engine told."""
    if not isinstance(reply, Exception):
        return False
    return "ResponseError" not in (kind.__name__ for kind in type(reply).__mro__)


def packed_all(commands: Iterable[Command]) -> bytes:
    """Commands on the wire, one behind the other."""
    return b"".join([packed(command) for command in commands])


def _packed(command: Command) -> bytes:
    """A command on the wire: an array of bulk strings (RESP2), texts in UTF-8."""
    parts = [b"*%d\r\n" % len(command)]
    for part in command:
        data = part if isinstance(part, bytes) else str(part).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


try:
    from hiredis import pack_command as packed  # a faster one; optional: ecart[fast]
except ImportError:
    packed = _packed  # type: ignore[assignment]


def in_utf8(command: Command) -> Command:
    """The command with its texts encoded, for a client that may be set to another encoding."""
    name, *arguments = command
    return (name, *(part.encode() if isinstance(part, str) else part for part in arguments))
