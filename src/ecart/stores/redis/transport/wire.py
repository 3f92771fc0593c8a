"""Commands as bytes, and what is known of an error that came instead of a reply."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

Command = tuple[str | bytes | int, ...]
"""A command's name and arguments."""

# Replies come as bytes whatever the client decodes; redis-py and valkey-py know the name.
UNDECODED = {"NEVER_DECODE": True}

# A connection whose reply does not come is closed, so that the next caller cannot read it. Sync
# connections to what Sentinel watches do that only when it is asked for.
READ_OPTIONS = {"disable_decoding": True, "disconnect_on_error": True}


def is_server_error(error: BaseException) -> bool:
    """Whether the engine replied with this error, so that the connection is sound."""
    return "ResponseError" in (kind.__name__ for kind in type(error).__mro__)


def is_connection_error(reply: object) -> TypeGuard[Exception]:
    """Whether this is an error, and not one that the engine replied with."""
    return isinstance(reply, Exception) and not is_server_error(reply)


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
