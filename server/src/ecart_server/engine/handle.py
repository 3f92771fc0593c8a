"""Opens, watches and closes the engine of a data folder.

The first handle starts the engine, all others adopt it, the last to close stops it. Every step that
starts or stops something is taken with the folder's mutex held (see `locks`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket as sockets
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote

from msgspec.structs import replace

from ecart.errors import EngineError
from ecart_server.engine import resp
from ecart_server.engine.binary import Binary, dotted, find_binary
from ecart_server.engine.folder import DataFolder
from ecart_server.engine.launch import START_POLL_SECONDS, launch
from ecart_server.engine.locks import Locks
from ecart_server.engine.stamp import Stamp, stamp_for, write_stamp

_log = logging.getLogger("ecart.engine")

Fsync = Literal["always", "everysec"]

STOP_SECONDS = 10.0
"""How long an engine may take to stop after SIGTERM."""
KILL_SECONDS = 5.0
"""How long it may take after SIGKILL."""
MAX_BACKOFF_SECONDS = 5.0
"""The longest pause between two attempts to restart an engine."""
STABLE_SECONDS = 10.0
"""An engine that ran this long had nothing wrong with its start: its restart is not delayed."""


def open_engine(
    data_dir: Path,
    *,
    engine: str = "auto",
    fsync: Fsync = "always",
    watch: bool = True,
    start_timeout: float = 120.0,
) -> EngineHandle:
    """Adopts the engine that runs for `data_dir`, or starts one, and waits until it serves.

    `engine` is as in `find_binary`. `fsync` is when the engine syncs its file to the disk: after
    each change before it answers, or once a second. An adopted engine is made stricter if asked,
    never laxer. With `watch`, a thread starts the engine again whenever it dies. `start_timeout`,
    in seconds, includes loading the carts.

    Raises:
        EngineError: there is no usable program or folder, the folder was written by another or a
            newer engine, or the engine does not start; the message says what to do.
    """
    if fsync not in ("always", "everysec"):
        raise EngineError(f"fsync is 'always' or 'everysec', not {fsync!r}")
    handle = EngineHandle(DataFolder.prepare(data_dir), find_binary(engine), fsync, start_timeout)
    handle._open()
    if watch:
        handle.watch()
    return handle


class EngineHandle:
    """One use of the engine of a data folder, from `open_engine` to `close`.

    Any number of handles, in any number of processes, use one engine. `close` stops it only when no
    other handle is open: the one that started it has no privilege, so a service may be replaced by
    its successor with no gap, and when it is killed the others inherit the engine.

    A copy of the handle in a forked child may use `url`; its `close` does nothing.
    """

    def __init__(
        self, folder: DataFolder, binary: Binary, fsync: Fsync, start_timeout: float
    ) -> None:
        self.binary = binary
        self.data_dir = folder.path
        self.socket = Path()
        self.started = False
        self.pid = 0
        self._folder = folder
        self._locks = Locks(folder.path)
        self._fsync = fsync
        self._start_timeout = start_timeout
        self._creator_pid = os.getpid()
        self._user_fd: int | None = None
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None
        self._watch_connection: sockets.socket | None = None

    @property
    def url(self) -> str:
        """Where a Redis client finds the engine, now and after a restart: `unix:///...`."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def is_only_user(self) -> bool:
        """Whether no other handle is open, so that `close` would stop the engine."""
        if self._user_fd is None or os.getpid() != self._creator_pid:
            return False
        with self._mutex():
            return self._locks.is_only_user(self._user_fd)

    def __enter__(self) -> EngineHandle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def watch(self) -> None:
        """Starts the engine again, from a daemon thread, whenever it dies; logs to `ecart.engine`.

        Each handle may watch; with the mutex held, one of them starts it and the others adopt it.
        """
        if self._watcher is None:
            self._watcher = threading.Thread(
                target=self._supervise, name="ecart-engine-watch", daemon=True
            )
            self._watcher.start()

    def close(self) -> None:
        """Stops using the engine, and stops it if no other handle is open. May be repeated.

        Raises:
            EngineError: it cannot be stopped.
        """
        if self._user_fd is None or os.getpid() != self._creator_pid:
            return
        user_fd, self._user_fd = self._user_fd, None
        self._closing.set()
        self._end_watch()
        try:
            with self._mutex():
                if self._locks.is_only_user(user_fd):
                    self._stop()
        except OSError as error:
            reason = f"the data folder {self.data_dir} cannot be used: {error}"
            raise EngineError(f"{reason}; process {self.pid} runs on") from error
        finally:
            self._locks.remove_user(user_fd)
        if self._watcher is not None:
            self._watcher.join()

    # Starting and adopting, always with the mutex held.

    def _mutex(self) -> contextlib.AbstractContextManager[None]:
        return self._locks.mutex(self._start_timeout + STOP_SECONDS + KILL_SECONDS)

    def _open(self) -> None:
        try:
            with self._mutex():
                self._adopt_or_start()
                self._user_fd = self._locks.add_user()
        except OSError as error:
            raise EngineError(f"the data folder {self.data_dir} cannot be used: {error}") from error

    def _adopt_or_start(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        stamp = stamp_for(self._folder, self.binary)
        while self._locks.is_engine_alive():
            socket = Path(stamp.socket) if stamp else self._folder.socket_path()
            server = resp.identify(socket)
            if server and server.is_ready:
                return self._adopt(socket, server)
            if self._closing.is_set() or time.monotonic() > deadline:
                raise EngineError(f"the engine of {self.data_dir} runs and does not answer")
            time.sleep(START_POLL_SECONDS)
        return self._start(deadline)

    def _adopt(self, socket: Path, server: resp.ServerIdentity) -> None:
        if Path(server.directory) != self.data_dir:
            raise EngineError(f"{socket} leads to the engine of {server.directory}")
        if self._fsync == "always":
            resp.call(socket, "CONFIG SET appendfsync always")
        self.started = self.started and server.pid == self.pid
        self.socket, self.pid = socket, server.pid

    def _start(self, deadline: float) -> None:
        if self.socket == Path():
            # A restart keeps the path that clients use, even if the environment differs by now.
            self.socket = self._folder.socket_path()
        stamp = Stamp(self.binary.name, dotted(self.binary.version), str(self.socket))
        # Before the process, so that no crash can leave carts in a folder without a stamp.
        write_stamp(self._folder, stamp)
        with self._locks.liveness() as liveness_fd:
            process = launch(self.binary, self._folder, self.socket, self._fsync, liveness_fd)
        write_stamp(self._folder, replace(stamp, pid=process.popen.pid))
        process.wait_ready(self.socket, deadline, self._closing)
        self.started, self.pid = True, process.popen.pid

    # Stopping.

    def _stop(self) -> None:
        if server := resp.identify(self.socket):
            # Another handle, closed since, may have started it again.
            self.pid = server.pid
        for signum, timeout in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            if self._is_gone_after(signum, timeout):
                self._folder.remove_private_folder(self.socket)
                return
            _log.warning("engine %d does not stop in %g s", self.pid, timeout)
        raise EngineError(f"the engine of {self.data_dir} (process {self.pid}) cannot be stopped")

    def _is_gone_after(self, signum: signal.Signals, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        if self._locks.is_engine_alive():
            self._signal(signum)
        while self._locks.is_engine_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(START_POLL_SECONDS)
        return True

    def _signal(self, signum: signal.Signals) -> None:
        # Either may fail because the engine is going at this moment.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if self.pid > 0 and self._is_engine_of_folder(self.pid):
                os.kill(self.pid, signum)

    def _is_engine_of_folder(self, pid: int) -> bool:
        # An engine that another container runs has a number there which means another process here.
        if not sys.platform.startswith("linux"):
            return True
        return Path(f"/proc/{pid}/cwd").readlink() == self.data_dir

    # Watching.

    def _supervise(self) -> None:
        pause = 0.0
        while not self._closing.wait(pause):
            since = time.monotonic()
            self._wait_for_exit()
            if self._closing.is_set():
                return
            was_stable = time.monotonic() - since > STABLE_SECONDS
            if self._restart() and was_stable:
                pause = 0.0
            else:
                pause = min(max(2 * pause, 0.1), MAX_BACKOFF_SECONDS)

    def _wait_for_exit(self) -> None:
        # An idle connection reports the end of the engine at once, whichever process is its parent.
        with (
            contextlib.suppress(OSError),
            resp.connect(self.socket, timeout=None) as connection,
        ):
            self._watch_connection = connection
            if not self._closing.is_set():
                connection.recv(1)
        self._watch_connection = None

    def _end_watch(self) -> None:
        connection = self._watch_connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(sockets.SHUT_RDWR)

    def _restart(self) -> bool:
        dead, since = self.pid, time.monotonic()
        try:
            with self._mutex():
                if self._closing.is_set():
                    return False
                self._adopt_or_start()
        except (EngineError, OSError) as error:
            if not self._closing.is_set():
                _log.error("engine %d died and cannot be started again: %s", dead, error)
            return False
        if self.pid != dead:
            took = time.monotonic() - since
            _log.warning("engine %d died; %d serves since %.2f s", dead, self.pid, took)
        return True
