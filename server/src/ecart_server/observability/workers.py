"""One mapped file of numbers per worker, which every worker can read.

A file is written by the one process that holds its lock, in one thread; a cell is eight aligned
bytes. A worker that takes the place of one that died goes on with its file, so no number of the
service ever becomes smaller, and there are never more files than workers at one time.
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
_SETTLED = 10.0
"""Seconds after which whoever made a folder has locked it, if they are still there."""


class Workers:
    """The numbers of this worker, and of those beside it. Without a folder it is alone."""

    def __init__(self, size: int, folder: str | None) -> None:
        self._size = size
        self._folder = Path(folder) if folder else None
        self._alone = array("d", bytes(size * _CELL))
        self.own: Cells = _claimed(self._folder, size) if self._folder else self._alone
        self.own[PID] = os.getpid()

    def all(self) -> Iterator[Sequence[float]]:
        """The numbers of each worker that there is or was, in an order that stays."""
        if self._folder is None:
            yield self._alone
            return
        for path in sorted(self._folder.iterdir(), key=lambda path: int(path.name)):
            data = path.read_bytes()
            if len(data) == self._size * _CELL:  # else it is just being made
                yield array("d", data)


@contextlib.contextmanager
def folder_of_workers() -> Iterator[str]:
    """A folder for the numbers of a service's workers. What a killed service left is removed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _held(left):
            about = left.stat()
            if about.st_uid == os.getuid() and time.time() - about.st_mtime > _SETTLED:
                shutil.rmtree(left, ignore_errors=True)
    # Somebody else who starts may be looking just now whether this one was left.
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder, _held(Path(folder), waits=True):
        yield folder


@contextlib.contextmanager
def _held(folder: Path, *, waits: bool = False) -> Iterator[None]:
    """Holds the folder's lock, which the kernel lets go of with the process.

    Raises:
        OSError: somebody else holds it, or it is no folder, or none to be opened.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield
    finally:
        os.close(held)


def total(numbers: Sequence[Sequence[float]]) -> list[float]:
    """Each number of the service: the sum of the workers'."""
    added = [0.0] * len(numbers[0])
    for cells in numbers:
        added = list(map(operator.add, added, cells))
    return added


def _claimed(folder: Path, size: int) -> Cells:
    """The first file that no living process holds, mapped; its lock lives as long as the map."""
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
