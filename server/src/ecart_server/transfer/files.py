"""Atomic files: complete or absent, and readable by their owner alone, since carts are personal."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A temporary file to write, which is synced and renamed to `path` at the end.

    After an error nothing is left of it. What is no regular file, such as a named pipe, is written
    directly.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as existing:
            yield existing
        return
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
