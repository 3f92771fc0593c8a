"""A few words with a server over its Unix socket, without a client library.

Opening an engine asks three short questions; importing a client for them would cost more time
than starting the server.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

Reply = bytes | list["Reply"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said of itself; `ready` is false while it loads its file."""

    ready: bool
    directory: str
    pid: int


def connect(path: Path, timeout: float | None = 1.0) -> socket.socket:
    """Open a connection; `timeout` in seconds holds for every later wait on it as well.

    Raises:
        OSError: nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def ask(path: Path, *commands: str) -> list[Reply]:
    """Send plain commands (no blanks inside a word) and return one reply each.

    Raises:
        OSError: nobody listens, or the answer did not come within a second.
    """
    with connect(path) as connection, connection.makefile("rb") as replies:
        connection.sendall("".join(f"{command}\r\n" for command in commands).encode())
        return [_read(replies) for _ in commands]


def identify(path: Path) -> Answer | None:
    """Ask who listens on `path`; `None` when nobody answers, or not yet with sense."""
    try:
        ping, config, info = ask(path, "PING", "CONFIG GET dir", "INFO server")
        if not isinstance(config, list) or not isinstance(info, bytes):
            return None
        directory = config[1]
        assert isinstance(directory, bytes)
        pid = info.split(b"process_id:", 1)[1].split(b"\r", 1)[0]
        return Answer(ping == b"PONG", directory.decode(errors="surrogateescape"), int(pid))
    except (OSError, ValueError, IndexError):
        return None


def _read(stream: BinaryIO) -> Reply:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server hung up")
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        return stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [_read(stream) for _ in range(int(rest))]
    return rest
