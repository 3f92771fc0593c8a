"""A file that is there as a whole or not at all, and for its owner alone: carts are personal."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write; at the end, synced, it takes the name. After an error nothing is left.

    What is no regular file, such as a named pipe, is written as it is.
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
