"""Opening, watching and closing the engine of a data folder.

Whoever comes first starts it, all others adopt it, the last to leave stops it. Every step that
starts or stops something is taken behind the folder's door.
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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from ecart.errors import EngineError
from ecart_server.engine import wire
from ecart_server.engine.binary import Binary, dotted, find_binary
from ecart_server.engine.folder import Folder
from ecart_server.engine.launch import POLL, launch
from ecart_server.engine.locks import Locks
from ecart_server.engine.stamp import Stamp, stamp_for, write_stamp

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger("ecart.engine")

Fsync = Literal["always", "everysec"]

STOP_LIMIT = 10.0
KILL_LIMIT = 5.0
LONGEST_PAUSE = 5.0
# An engine that lived this long had nothing wrong with its start.
STEADY = 10.0


def open_engine(
    data_dir: Path,
    *,
    engine: str = "auto",
    fsync: Fsync = "always",
    watch: bool = True,
    start_limit: float = 120.0,
) -> Engine:
    """Adopt the engine that runs for `data_dir`, or start one, and wait until it serves.

    `engine` is as in `find_binary`. `fsync` is when the engine syncs its file to the disk: after
    each change before it answers, or once a second. An adopted engine is made stricter if asked,
    never laxer. With `watch`, a thread starts the engine again whenever it dies. `start_limit`,
    in seconds, includes loading the carts.

    Raises:
        EngineError: there is no usable program or folder, the folder was written by another or a
            newer engine, or the engine does not start; the message says what to do.
    """
    if fsync not in ("always", "everysec"):
        raise EngineError(f"fsync is 'always' or 'everysec', not {fsync!r}")
    opened = Engine(Folder.prepare(data_dir), find_binary(engine), fsync, start_limit)
    opened._enter()
    if watch:
        opened.watch()
    return opened


class Engine:
    """One use of the engine of a data folder, from `open_engine` to `close`.

    An engine is used by as many handles as like, in any number of processes. `close` stops it only
    when no other handle is open: the one that started it has no privilege, so a service may be
    replaced by its successor with no gap, and when it is killed the others inherit the engine.
    Who is still there is the kernel's word (a shared file lock), not a list that could be stale.

    A copy of the handle in a forked child may use `url`; its `close` does nothing.
    """

    def __init__(self, folder: Folder, binary: Binary, fsync: Fsync, start_limit: float) -> None:
        self.binary = binary
        self.data_dir = folder.path
        self.socket = Path()
        self.started = False
        self.pid = 0
        self._folder = folder
        self._locks = Locks(folder.path)
        self._fsync = fsync
        self._start_limit = start_limit
        self._maker = os.getpid()
        self._place: int | None = None
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None
        self._line: sockets.socket | None = None

    @property
    def url(self) -> str:
        """Where a Redis client finds the engine, now and after a restart: `unix:///...`."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def owned(self) -> bool:
        """Whether this is the only open handle, so that `close` would stop the engine."""
        if self._place is None or os.getpid() != self._maker:
            return False
        with self._door():
            return self._locks.alone(self._place)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def watch(self) -> None:
        """Start the engine again, from a daemon thread, whenever it dies; logs to `ecart.engine`.

        Each handle may watch; behind the door one of them starts it and the others adopt it.
        """
        if self._watcher is None:
            self._watcher = threading.Thread(
                target=self._supervise, name="ecart-engine-watch", daemon=True
            )
            self._watcher.start()

    def close(self) -> None:
        """Leave the engine, and stop it if no other handle is open. Closing twice is harmless.

        Raises:
            EngineError: it cannot be stopped.
        """
        if self._place is None or os.getpid() != self._maker:
            return
        place, self._place = self._place, None
        self._closing.set()
        self._hang_up()
        try:
            with self._door():
                if self._locks.alone(place):
                    self._stop()
        except OSError as error:
            reason = f"the data folder {self.data_dir} cannot be used: {error}"
            raise EngineError(f"{reason}; process {self.pid} runs on") from error
        finally:
            self._locks.leave(place)
        if self._watcher is not None:
            self._watcher.join()

    # Starting and adopting, always behind the door.

    def _door(self) -> contextlib.AbstractContextManager[None]:
        return self._locks.door(self._start_limit + STOP_LIMIT + KILL_LIMIT)

    def _enter(self) -> None:
        try:
            with self._door():
                self._settle()
                self._place = self._locks.enter()
        except OSError as error:
            raise EngineError(f"the data folder {self.data_dir} cannot be used: {error}") from error

    def _settle(self) -> None:
        deadline = time.monotonic() + self._start_limit
        stamp = stamp_for(self._folder, self.binary)
        while self._locks.engine_lives():
            listening = Path(stamp.socket) if stamp else self._folder.socket_path()
            answer = wire.identify(listening)
            if answer and answer.ready:
                return self._adopt(listening, answer)
            if self._closing.is_set() or time.monotonic() > deadline:
                raise EngineError(f"the engine of {self.data_dir} runs and does not answer")
            time.sleep(POLL)
        return self._start(deadline)

    def _adopt(self, listening: Path, answer: wire.Answer) -> None:
        if Path(answer.directory) != self.data_dir:
            raise EngineError(f"{listening} leads to the engine of {answer.directory}")
        if self._fsync == "always":
            wire.ask(listening, "CONFIG SET appendfsync always")
        self.started = self.started and answer.pid == self.pid
        self.socket, self.pid = listening, answer.pid

    def _start(self, deadline: float) -> None:
        if self.socket == Path():
            # Else it starts again where its clients look, even if the environment differs here.
            self.socket = self._folder.socket_path()
        stamp = Stamp(self.binary.name, dotted(self.binary.version), str(self.socket))
        # Before the process, so that no crash can leave carts in a folder without a stamp.
        write_stamp(self._folder, stamp)
        with self._locks.new_life() as life:
            launched = launch(self.binary, self._folder, self.socket, self._fsync, life)
        write_stamp(self._folder, replace(stamp, pid=launched.process.pid))
        launched.wait_ready(self.socket, deadline, self._closing)
        self.started, self.pid = True, launched.process.pid

    # Stopping.

    def _stop(self) -> None:
        if answer := wire.identify(self.socket):
            # Another handle, closed since, may have started it again.
            self.pid = answer.pid
        for signum, limit in ((signal.SIGTERM, STOP_LIMIT), (signal.SIGKILL, KILL_LIMIT)):
            if self._gone_after(signum, limit):
                self._folder.forget_socket(self.socket)
                return
            logger.warning("engine %d does not stop in %g s", self.pid, limit)
        raise EngineError(f"the engine of {self.data_dir} (process {self.pid}) cannot be stopped")

    def _gone_after(self, signum: signal.Signals, limit: float) -> bool:
        deadline = time.monotonic() + limit
        if self._locks.engine_lives():
            self._signal(signum)
        while self._locks.engine_lives():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def _signal(self, signum: signal.Signals) -> None:
        # Either may fail because the engine is going at this moment.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if self.pid > 0 and self._is_ours(self.pid):
                os.kill(self.pid, signum)

    def _is_ours(self, pid: int) -> bool:
        # An engine that another container runs has a number there which means another process here.
        if not sys.platform.startswith("linux"):
            return True
        return Path(f"/proc/{pid}/cwd").readlink() == self.data_dir

    # Watching.

    def _supervise(self) -> None:
        pause = 0.0
        while not self._closing.wait(pause):
            since = time.monotonic()
            self._wait_for_death()
            if self._closing.is_set():
                return
            calm = time.monotonic() - since > STEADY
            pause = 0.0 if self._revive() and calm else min(max(2 * pause, 0.1), LONGEST_PAUSE)

    def _wait_for_death(self) -> None:
        # An idle connection reports the end of the engine at once, whoever its parent is.
        with contextlib.suppress(OSError), wire.connect(self.socket, timeout=None) as line:
            self._line = line
            if not self._closing.is_set():
                line.recv(1)
        self._line = None

    def _hang_up(self) -> None:
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(sockets.SHUT_RDWR)

    def _revive(self) -> bool:
        dead, since = self.pid, time.monotonic()
        try:
            with self._door():
                if self._closing.is_set():
                    return False
                self._settle()
        except (EngineError, OSError) as error:
            if not self._closing.is_set():
                logger.error("engine %d died and cannot be started again: %s", dead, error)
            return False
        if self.pid != dead:
            took = time.monotonic() - since
            logger.warning("engine %d died; %d serves since %.2f s", dead, self.pid, took)
        return True
