"""A minimal client of the Redis protocol (RESP) over a Unix socket.

Opening an engine takes three short commands; to import a client library for them would take longer
than to start the server.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import BinaryIO

import msgspec

Reply = bytes | list["Reply"]


class ServerIdentity(msgspec.Struct, frozen=True):
    """Which server listens on a socket. `is_ready` is false while it loads its file."""

    is_ready: bool
    directory: str
    pid: int


def connect(path: Path, timeout: float | None = 1.0) -> socket.socket:
    """A connection; `timeout`, in seconds, holds for every later wait on it as well.

    Raises:
        OSError: no process listens there.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def call(path: Path, *commands: str) -> list[Reply]:
    """One reply to each of the commands, in whose words there are no blanks.

    Raises:
        OSError: no process listens, or a reply did not come within a second.
    """
    with connect(path) as connection, connection.makefile("rb") as replies:
        connection.sendall("".join(f"{command}\r\n" for command in commands).encode())
        return [_read(replies) for _ in commands]


def identify(path: Path) -> ServerIdentity | None:
    """The server that listens on `path`; None without a reply, or with one that is not usable."""
    try:
        ping, config, info = call(path, "PING", "CONFIG GET dir", "INFO server")
        if not isinstance(config, list) or not isinstance(info, bytes):
            return None
        directory = config[1]
        assert isinstance(directory, bytes)
        pid = info.split(b"process_id:", 1)[1].split(b"\r", 1)[0]
        return ServerIdentity(ping == b"PONG", directory.decode(errors="surrogateescape"), int(pid))
    except (OSError, ValueError, IndexError):
        return None


def _read(stream: BinaryIO) -> Reply:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        return stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [_read(stream) for _ in range(int(rest))]
    return rest
