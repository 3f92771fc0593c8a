"""`ecart serve` as its users run it, in a process of its own, and the engine behind it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from engines import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = [sys.executable, "-c", "from ecart_server.cli import main; main()"]
START_SECONDS = 30.0


class Service:
    """One run of `ecart serve`, in a process group of its own."""

    def __init__(self, *arguments: str, data_dir: Path, env: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = data_dir.parent / f"log-{self.port}"
        clean = {name: v for name, v in os.environ.items() if not name.startswith("ECART_")}
        began = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", *arguments],
                env={
                    **clean,
                    "ECART_PORT": str(self.port),
                    "ECART_DATA_DIR": str(data_dir),
                    **env,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.began = began

    @property
    def said(self) -> str:
        """What it wrote to its terminal."""
        return self.log.read_text(errors="replace")

    def ready(self) -> Service:
        """Waits for the first answer, of a service that starts or whose workers do."""
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, self.said
            time.sleep(0.01)
        self.first_answer = time.monotonic() - self.began
        return self

    def _answers(self) -> bool:
        # While no worker is there, the supervisor's socket takes connections that nobody answers.
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return requests.get(f"{self.address}/readyz", timeout=5).ok
        return False

    def refused(self) -> str:
        """Waits for it to give up; what it said."""
        code = self.process.wait(START_SECONDS)
        assert code in (1, 2), (code, self.said)
        return self.said

    def terminate(self) -> tuple[int, float]:
        """Asks it to end; its exit code, and how many seconds that took."""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(15), time.monotonic() - began

    def kill(self) -> None:
        """Ends the parent process as a crash would."""
        self.process.kill()
        self.process.wait()

    def end_all(self) -> None:
        """Ends what is left of the run."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def engine_pid(data_dir: Path) -> int | None:
    """The engine that lives in a data folder."""
    with contextlib.suppress(OSError, ValueError):
        pid = json.loads((data_dir / "engine.json").read_text()).get("pid", 0)
        if Path(f"/proc/{pid}/cwd").resolve() == data_dir.resolve():
            return pid
    return None


def kill_engine(data_dir: Path) -> bool:
    """Kills the engine of a data folder; whether there was one."""
    pid = engine_pid(data_dir)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: engine_pid(data_dir) != pid, 5)
    return pid is not None


def eventually(check: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
