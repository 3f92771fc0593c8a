"""The counters of each worker in a memory-mapped file, which the other workers read.

A file is written by one thread of the one process that holds its lock, and a cell is eight aligned
bytes, so counting needs no further lock. A worker that replaces a dead one continues with its file:
no counter of the service ever decreases, and there are never more files than workers at one time.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import operator
import os
import shutil
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from ecart_server.observability.series import Cells

PID = 0
"""The cell that holds the worker's process id."""

_CELL = 8
_PREFIX = "ecart-metrics-"
_CREATION_SECONDS = 10.0
"""A folder that is older than this and not locked has lost its service."""


class WorkerCells:
    """The cells of this worker and of the others. Without a folder there are no others."""

    def __init__(self, size: int, folder: str | None) -> None:
        self._size = size
        self._folder = Path(folder) if folder else None
        self._single = array("d", bytes(size * _CELL))
        self.own: Cells = _claim(self._folder, size) if self._folder else self._single
        self.own[PID] = os.getpid()

    def all(self) -> Iterator[Sequence[float]]:
        """The cells of each file, of dead workers too, always in the same order."""
        if self._folder is None:
            yield self._single
            return
        for path in sorted(self._folder.iterdir(), key=lambda path: int(path.name)):
            data = path.read_bytes()
            if len(data) == self._size * _CELL:  # else it is being created
                yield array("d", data)


@contextlib.contextmanager
def folder_of_workers() -> Iterator[str]:
    """A temporary folder for the files of a service's workers; removes those of killed services."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(left):
            status = left.stat()
            if status.st_uid == os.getuid() and time.time() - status.st_mtime > _CREATION_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    # Another service that starts may hold the lock for a moment, to see if this folder is in use.
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder, _locked(Path(folder), waits=True):
        yield folder


@contextlib.contextmanager
def _locked(folder: Path, *, waits: bool = False) -> Iterator[None]:
    """Holds the lock of a folder, which the kernel releases when the process ends.

    Raises:
        OSError: another process holds it, or it is no folder, or cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def total(workers: Sequence[Sequence[float]]) -> list[float]:
    """The cells of the whole service: the sums over its workers."""
    sums = [0.0] * len(workers[0])
    for cells in workers:
        sums = list(map(operator.add, sums, cells))
    return sums


def _claim(folder: Path, size: int) -> Cells:
    """Maps the first file that no process has locked, and locks it for as long as it is mapped."""
    for number in count():
        with (folder / str(number)).open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            file.truncate(size * _CELL)
            # The map has a descriptor of its own for the same open file, and so keeps the lock.
            return memoryview(mmap.mmap(file.fileno(), size * _CELL)).cast("d")
    raise AssertionError("numbers do not end")
