"""The three file locks of a data folder, by which processes agree on one engine.

Several processes use one folder: a service, its successor during a restart, a command in a
terminal. They share one engine, which the first starts and the last stops. Which is the first and
which the last is a question of mutual exclusion, and a process may be killed at any instant.
Process ids in a file would be stale after a crash, are used again, and mean nothing in another
container.

So the kernel decides. An advisory lock (`flock`) belongs to an open file description. Every process
that inherited the descriptor holds it, and it ends when the last copy is closed, however the
processes end. There are three:

- `engine.lock`, the mutex: held by the process that starts, adopts, restarts or stops the engine,
  for as long as that takes.
- `engine.life`, the liveness lock: the engine inherits its locked descriptor, and so holds it from
  its first to its last instant. If it can be locked, there is no engine.
- `engine.users`, the reference count: every open handle holds it shared. A handle that can make
  its lock exclusive is the only user, and stops the engine when it leaves. It asks with the mutex
  held; two that leave together would otherwise each see the other, and neither would stop it.

After `kill -9` of a user its locks are free. The engine runs on; the next process to open the
folder finds the liveness lock taken and adopts it. After `kill -9` of the engine the liveness lock
is free, and one of the users, with the mutex held, starts it again. After a crash in the middle of
a start, the next one finds the mutex free, and begins with what the liveness lock shows.

Locks must work across processes, so the folder has to be on a local disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ecart.errors import EngineError


class Locks(msgspec.Struct, frozen=True):
    """The locks in the folder `path`."""

    path: Path

    @contextlib.contextmanager
    def mutex(self, timeout: float) -> Iterator[None]:
        """Holds the folder's mutex, after waiting for it at most `timeout` seconds.

        Raises:
            EngineError: another process held it all the time.
        """
        deadline = time.monotonic() + timeout
        with self._opened("engine.lock") as descriptor:
            while not _try_lock(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise EngineError(
                        f"another process has kept {self.path} busy for {timeout:g} s"
                    )
                time.sleep(0.01)
            try:
                yield
            finally:
                # Unlocked explicitly, here and below: a child forked meanwhile has a copy of the
                # descriptor, and closing ours alone would leave the lock with the child.
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def is_engine_alive(self) -> bool:
        """Whether an engine process of this folder exists, be it responsive or not."""
        with self._opened("engine.life") as descriptor:
            if not _try_lock(descriptor, fcntl.LOCK_EX):
                return True
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            return False

    @contextlib.contextmanager
    def liveness(self) -> Iterator[int]:
        """Takes the liveness lock and yields its descriptor, for a new engine to inherit."""
        with self._opened("engine.life") as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield descriptor

    def add_user(self) -> int:
        """Registers a user of the engine: the descriptor that `remove_user` takes."""
        user_fd = self._open("engine.users")
        fcntl.flock(user_fd, fcntl.LOCK_SH)
        return user_fd

    def is_only_user(self, user_fd: int) -> bool:
        """Whether no other user is registered; to be called with the mutex held."""
        is_only = _try_lock(user_fd, fcntl.LOCK_EX)
        # A lock is converted by releasing it first, so it is taken again either way.
        fcntl.flock(user_fd, fcntl.LOCK_SH)
        return is_only

    def remove_user(self, user_fd: int) -> None:
        """Ends a registration."""
        fcntl.flock(user_fd, fcntl.LOCK_UN)
        os.close(user_fd)

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
