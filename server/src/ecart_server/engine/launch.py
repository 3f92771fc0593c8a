"""Starts an engine process and waits until it is ready."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import msgspec

from ecart.errors import EngineError
from ecart_server.engine import resp
from ecart_server.engine.binary import Binary
from ecart_server.engine.folder import DataFolder

START_POLL_SECONDS = 0.01

_TUNABLE = "glibc.malloc.tcache_count"


class EngineProcess(msgspec.Struct, frozen=True):
    """A started engine; what it writes to `log` begins at the byte `log_start`."""

    popen: subprocess.Popen[bytes]
    log: Path
    log_start: int

    def wait_ready(self, socket: Path, deadline: float, cancelled: threading.Event) -> None:
        """Waits until the engine serves, which it does not while it loads its file.

        An error here ends the process, so that none is left behind unseen.

        Raises:
            EngineError: it died (with the end of its log), or `deadline` (monotonic) has passed.
        """
        try:
            while not ((server := resp.identify(socket)) and server.is_ready):
                if self.popen.poll() is not None:
                    raise EngineError(f"the engine does not start:\n{self.log_tail()}")
                if cancelled.is_set():
                    raise EngineError("closed while the engine was starting")
                if time.monotonic() > deadline:
                    raise EngineError(f"the engine is not ready in time:\n{self.log_tail()}")
                time.sleep(START_POLL_SECONDS)
        except BaseException:
            self.popen.terminate()
            raise

    def log_tail(self) -> str:
        """The last ten lines that this process wrote."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-10:]) or f"(it wrote nothing to {self.log})"


def launch(
    binary: Binary, folder: DataFolder, socket: Path, fsync: str, liveness_fd: int
) -> EngineProcess:
    """Starts `binary` on `folder`. It inherits `liveness_fd`, and with it the liveness lock.

    Raises:
        EngineError: the program cannot be executed.
    """
    log = folder.rotate_log()
    with log.open("ab") as output:
        start = output.tell()
        try:
            popen = subprocess.Popen(
                [binary.path, *_options(folder, socket, fsync)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=engine_environ(),
                cwd=folder.path,
                pass_fds=(liveness_fd,),
                # Its own session: Ctrl-C in the terminal is for the service, which then closes us.
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            raise EngineError(f"{binary.path} cannot be executed: {error}") from error
    # Reaps the child whenever it dies, also when the handle is long closed.
    threading.Thread(target=popen.wait, name="ecart-engine-reaper", daemon=True).start()
    return EngineProcess(popen, log, start)


def engine_environ() -> dict[str, str]:
    """The environment of this process, with a larger allocation cache of glibc (decision 35).

    A value of the operator for the same tunable in `GLIBC_TUNABLES` is kept.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if _TUNABLE in tunables:
        return {**os.environ}
    return {**os.environ, "GLIBC_TUNABLES": f"{tunables}:{_TUNABLE}=512".lstrip(":")}


def _options(folder: DataFolder, socket: Path, fsync: str) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder.path),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]
