"""Starting one engine process and seeing it ready. Nothing here knows who uses it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecart.errors import EngineError
from ecart_server.engine import wire

if TYPE_CHECKING:
    from pathlib import Path

    from ecart_server.engine.binary import Binary
    from ecart_server.engine.folder import Folder

POLL = 0.01

_TUNABLE = "glibc.malloc.tcache_count"


@dataclass(frozen=True, slots=True)
class Launch:
    """A started process, and where its part of the log begins."""

    process: subprocess.Popen[bytes]
    log: Path
    log_start: int

    def wait_ready(self, socket: Path, deadline: float, cancelled: threading.Event) -> None:
        """Wait until the engine serves; loading its file counts as not yet.

        Whatever ends the wait early ends the process too, so that none is left behind unseen.

        Raises:
            EngineError: it died (with the end of its log), or `deadline` (monotonic) has passed.
        """
        try:
            while not ((answer := wire.identify(socket)) and answer.ready):
                if self.process.poll() is not None:
                    raise EngineError(f"the engine does not start:\n{self.log_tail()}")
                if cancelled.is_set():
                    raise EngineError("closed while the engine was starting")
                if time.monotonic() > deadline:
                    raise EngineError(f"the engine is not ready in time:\n{self.log_tail()}")
                time.sleep(POLL)
        except BaseException:
            self.process.terminate()
            raise

    def log_tail(self) -> str:
        """Return the last ten lines that this process wrote."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-10:]) or f"(it wrote nothing to {self.log})"


def launch(binary: Binary, folder: Folder, socket: Path, fsync: str, life: int) -> Launch:
    """Start `binary` on `folder`; `life` is the locked descriptor that it shall hold till it dies.

    Raises:
        EngineError: the program cannot be executed.
    """
    log = folder.fresh_log()
    with log.open("ab") as output:
        start = output.tell()
        try:
            process = subprocess.Popen(
                [binary.path, *_options(folder, socket, fsync)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=engine_environ(),
                cwd=folder.path,
                pass_fds=(life,),
                # Its own session: Ctrl-C in the terminal is for the service, which then closes us.
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            raise EngineError(f"{binary.path} cannot be executed: {error}") from error
    # Reaps the child at whatever moment it dies, also when the handle is long closed.
    threading.Thread(target=process.wait, name="ecart-engine-reaper", daemon=True).start()
    return Launch(process, log, start)


def engine_environ() -> dict[str, str]:
    """The environment of this process, and what has glibc keep freed memory at hand (decision 35).

    What the operator says of the same thing in `GLIBC_TUNABLES` stays.
    """
    said = os.environ.get("GLIBC_TUNABLES", "")
    if _TUNABLE in said:
        return {**os.environ}
    return {**os.environ, "GLIBC_TUNABLES": f"{said}:{_TUNABLE}=512".lstrip(":")}


def _options(folder: Folder, socket: Path, fsync: str) -> list[str]:
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
