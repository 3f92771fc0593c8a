"""Commands over a client's connections: less work for each than by the client itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

from ecart.stores.redis.lenders import Lender

Command = tuple[Any, ...]

# Replies come as bytes whatever the client decodes; redis-py and valkey-py know the name.
UNDECODED = {"NEVER_DECODE": True}

# Closed by itself where a reply does not come: the next caller must not read it later. That is
# what connections do, but not the sync ones to what Sentinel watches, unless they are told to.
UNDECODED_OR_CLOSED = {"disable_decoding": True, "disconnect_on_error": True}


def send_one(lender: Lender, command: Command) -> Any:
    """The reply to one command; an error that it tells is raised."""
    connection = lender.take()
    try:
        connection.send_packed_command((packed(command),))
        reply = connection.read_response(**UNDECODED_OR_CLOSED)
    except BaseException as error:
        _give_up(lender, connection, error)
        raise
    lender.give_back(connection)
    return reply


def send_all(lender: Lender, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands that go over one connection; errors told are among them."""
    connection = lender.take()
    try:
        connection.send_packed_command((packed_all(commands),))
        replies = [_read(connection) for _ in commands]
    except BaseException as error:
        _give_up(lender, connection, error)
        raise
    lender.give_back(connection)
    return replies


def _give_up(lender: Lender, connection: Any, error: BaseException) -> None:
    """Closes what a reply may still come over: a signal may end a call between its two halves."""
    if not _is_told(error):
        connection.disconnect()
    lender.give_up(connection)


def _read(connection: Any) -> Any:
    try:
        return connection.read_response(**UNDECODED_OR_CLOSED)
    except Exception as error:
        if is_of_connection(error):
            raise
        return error


def is_of_connection(reply: object) -> TypeGuard[Exception]:
    """Whether this is an error of the connection, and not one that the engine told."""
    return isinstance(reply, Exception) and not _is_told(reply)


def _is_told(error: BaseException) -> bool:
    return "ResponseError" in (kind.__name__ for kind in type(error).__mro__)


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
