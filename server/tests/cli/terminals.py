"""A command in a terminal of its own, as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING

from serving import COMMAND

if TYPE_CHECKING:
    from engines import Engine


def _at_a_terminal() -> None:
    """A terminal of its own, so that Ctrl-C reaches it alone; and heeded, whoever began the tests.

    What a shell begins in the background ignores it, and so do its children.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A running command. `said`: all that it has written so far; `stdout`: where else that goes."""

    def __init__(
        self, engine: Engine, *arguments: str, columns: int = 80, stdout: int | None = None
    ) -> None:
        self._leader, follower = pty.openpty()
        env = {"ECART_REDIS_URL": engine.url, "TERM": "xterm", "COLUMNS": str(columns)}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=follower,
            stdout=follower if stdout is None else stdout,
            stderr=follower,
            env={**os.environ, **env},
            start_new_session=True,
            preexec_fn=_at_a_terminal,
        )
        os.close(follower)
        self.said = b""

    def type(self, text: bytes) -> None:
        """As if at its keyboard."""
        os.write(self._leader, text)

    def wait_for(self, text: bytes, seconds: float = 20.0) -> bool:
        """Whether it says so in time."""
        end = time.monotonic() + seconds
        while text not in self.said and time.monotonic() < end:
            if not self._read(end - time.monotonic()):
                break
        return text in self.said

    def end(self, seconds: float = 20.0) -> int:
        """Its exit code."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._read(end - time.monotonic()):
            pass
        try:
            return self.process.wait(5)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self._leader)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._leader], [], [], max(0.0, seconds))[0]:
            return False
        try:
            piece = os.read(self._leader, 65_536)
        except OSError:  # nobody has it open any more
            return False
        self.said += piece
        return bool(piece)
