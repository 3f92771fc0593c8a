"""Commands over one connection of a client's pool: packed, sent, their replies read in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeGuard

from ecart.stores.redis.transport.connections import ConnectionSource

Command = tuple[str | bytes | int, ...]
"""A command's name and arguments."""

# Replies come as bytes whatever the client decodes; redis-py and valkey-py know the name.
UNDECODED = {"NEVER_DECODE": True}

# A connection whose reply does not come is closed, so that the next caller cannot read it. Sync
# connections to what Sentinel watches do that only when it is asked for.
READ_OPTIONS = {"disable_decoding": True, "disconnect_on_error": True}


def send_one(source: ConnectionSource, command: Command) -> Any:
    """The reply to one command; a server error is raised."""
    connection = source.acquire()
    try:
        connection.send_packed_command((packed(command),))
        reply = connection.read_response(**READ_OPTIONS)
    except BaseException as error:
        _discard(source, connection, error)
        raise
    source.release(connection)
    return reply


def send_all(source: ConnectionSource, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands sent in one packet; server errors are among them."""
    connection = source.acquire()
    try:
        connection.send_packed_command((packed_all(commands),))
        replies = [_read(connection) for _ in commands]
    except BaseException as error:
        _discard(source, connection, error)
        raise
    source.release(connection)
    return replies


def _discard(source: ConnectionSource, connection: Any, error: BaseException) -> None:
    # A signal may interrupt a call between sending and reading: the reply is still to come.
    if not is_server_error(error):
        connection.disconnect()
    source.discard(connection)


def _read(connection: Any) -> Any:
    try:
        return connection.read_response(**READ_OPTIONS)
    except Exception as error:
        if not is_server_error(error):
            raise
        return error


def is_server_error(error: BaseException) -> bool:
    """Whether the engine replied with this error, so that the connection is sound."""
    return "ResponseError" in (kind.__name__ for kind in type(error).__mro__)


def is_connection_error(reply: object) -> TypeGuard[Exception]:
    """Whether this is an error, and not one that the engine replied with."""
    return isinstance(reply, Exception) and not is_server_error(reply)


def packed_all(commands: Iterable[Command]) -> bytes:
    """Commands as bytes, one after the other."""
    return b"".join([packed(command) for command in commands])


def _packed(command: Command) -> bytes:
    """A command as an array of bulk strings (RESP2), text in UTF-8."""
    parts = [b"*%d\r\n" % len(command)]
    for part in command:
        data = part if isinstance(part, bytes) else str(part).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


packed: Callable[[Command], bytes]
"""A command as bytes."""
try:
    from hiredis import pack_command as packed  # type: ignore[assignment]  # optional: ecart[fast]
except ImportError:
    packed = _packed


def in_utf8(command: Command) -> Command:
    """The command with text encoded, for a client that may be set to another encoding."""
    name, *arguments = command
    return (name, *(part.encode() if isinstance(part, str) else part for part in arguments))
