"""The lab: the servers and clients of one run, started when first asked for, ended with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import redis
import redis.asyncio

from ecart_server.engine import Binary, engine_environ, find_binary

from .rounds import Pace

Thing = TypeVar("Thing")

ROOT = Path(__file__).parents[1]
START_SECONDS = 30.0
SOCKET, TCP = "Unix socket", "TCP"


class Lab:
    """What measurements stand on. Used in a `with`."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._ends = contextlib.ExitStack()
        self._shared: dict[str, Any] = {}

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    @cached_property
    def folder(self) -> Path:
        """A short temporary folder: the kernel limits the paths of sockets."""
        folder = Path(tempfile.mkdtemp(prefix="ecart-"))
        self._ends.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def binary(self) -> Binary:
        """The engine program that ecart itself would take."""
        return find_binary()

    @cached_property
    def engine(self) -> Engine:
        """The engine of this run: no persistence, so that every contender pays the same."""
        return self.own_engine()

    def own_engine(self) -> Engine:
        """Another engine, for one measurement."""
        port = free_port()
        engine = Engine(self.folder / f"{port}.sock", port)
        options = {
            "port": str(port),
            "bind": "127.0.0.1",
            "unixsocket": str(engine.socket),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        command = [str(self.binary.path), *words]
        is_ready = partial(answers, engine.socket, b"PING\r\n")
        self.enter(self.running(command, is_ready, engine_environ()))
        return engine

    @contextlib.contextmanager
    def running(
        self,
        command: list[str],
        is_ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
    ) -> Iterator[float]:
        """A server in a group of its own, and how many seconds it took until it was ready."""
        log = self.folder / f"log-{free_port()}"
        began = time.monotonic()
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=clean_environ(env or {}),
                start_new_session=True,
            )
        try:
            while not is_ready():
                if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                    said = log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{command} did not start:\n{said}")
                time.sleep(0.002)
            yield time.monotonic() - began
        finally:
            end(process)

    def enter(self, thing: contextlib.AbstractContextManager[Thing]) -> Thing:
        """Enters something that is left with the lab."""
        return self._ends.enter_context(thing)

    def shared(self, name: str, make: Callable[[], contextlib.AbstractContextManager[Any]]) -> Any:
        """What several measurements use: made for the first, left with the lab."""
        if name not in self._shared:
            self._shared[name] = self.enter(make())
        return self._shared[name]


class Engine:
    """A running engine, by its socket and its port."""

    def __init__(self, path: Path, port: int) -> None:
        self.socket = path
        self.urls = {SOCKET: f"unix://{path}", TCP: f"redis://127.0.0.1:{port}"}

    def client(self, door: str = SOCKET) -> Any:
        """A redis-py client, as an application makes it."""
        return redis.Redis.from_url(self.urls[door])

    def async_client(self, door: str = SOCKET) -> Any:
        """`client` for asyncio."""
        return redis.asyncio.Redis.from_url(self.urls[door])


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a server that the lab started, and what it started in its group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(12)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(address: Path | int, question: bytes) -> bool:
    """Whether a server answers, on a socket's path or a loopback port, and with no error."""
    by_path = isinstance(address, Path)
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX if by_path else socket.AF_INET) as probe,
    ):
        probe.settimeout(5)
        probe.connect(str(address) if by_path else ("127.0.0.1", address))
        probe.sendall(question)
        return probe.recv(256).startswith((b"+PONG", b"HTTP/1.1 200"))
    return False


def clean_environ(own: Mapping[str, str]) -> dict[str, str]:
    """The environment, without settings of ecart that the person at the keyboard has.

    Modules are compiled once, as they are where ecart is installed.
    """
    theirs = {name: v for name, v in os.environ.items() if not name.startswith("ECART_")}
    theirs.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**theirs, **own}


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def python(*arguments: str) -> list[str]:
    """A command for this very Python."""
    return [sys.executable, *arguments]
