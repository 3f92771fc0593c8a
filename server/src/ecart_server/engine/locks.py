"""The three locks of a data folder, which keep order among processes.

The kernel holds them and lets go of them when a process dies, however it dies:

- `engine.lock`, the door: held by whoever opens, restarts or stops; one at a time.
- `engine.life`: held by the engine process itself from its first to its last instant.
- `engine.users`: shared by every open handle; whoever can have it alone is the last one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecart.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Locks:
    """The locks in the folder `path`."""

    path: Path

    @contextlib.contextmanager
    def door(self, limit: float) -> Iterator[None]:
        """Hold the folder's door, waiting at most `limit` seconds for it.

        Raises:
            EngineError: another process held it all the time.
        """
        deadline = time.monotonic() + limit
        with self._opened("engine.lock") as lock:
            while not _try_lock(lock, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise EngineError(f"another process has kept {self.path} busy for {limit:g} s")
                time.sleep(0.01)
            try:
                yield
            finally:
                # Said aloud, here and below: a child forked meanwhile has a copy of the descriptor,
                # and closing ours alone would leave the lock with the child.
                fcntl.flock(lock, fcntl.LOCK_UN)

    def engine_lives(self) -> bool:
        """Tell whether an engine process of this folder exists, answering or not."""
        with self._opened("engine.life") as lock:
            if not _try_lock(lock, fcntl.LOCK_EX):
                return True
            fcntl.flock(lock, fcntl.LOCK_UN)
            return False

    @contextlib.contextmanager
    def new_life(self) -> Iterator[int]:
        """Lock the engine's life and lend the descriptor, for the engine to inherit."""
        with self._opened("engine.life") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield lock

    def enter(self) -> int:
        """Become a user of the engine; returns the descriptor that says so until it is left."""
        place = self._open("engine.users")
        fcntl.flock(place, fcntl.LOCK_SH)
        return place

    def alone(self, place: int) -> bool:
        """Tell, with the door held, whether nobody but the user at `place` is left."""
        alone = _try_lock(place, fcntl.LOCK_EX)
        # A lock is changed by dropping it first, so take the place again either way.
        fcntl.flock(place, fcntl.LOCK_SH)
        return alone

    def leave(self, place: int) -> None:
        """Stop being a user."""
        fcntl.flock(place, fcntl.LOCK_UN)
        os.close(place)

    def _open(self, name: str) -> int:
        return os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        descriptor = self._open(name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
