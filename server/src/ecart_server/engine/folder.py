"""The data folder: that it can be used, what lies in it, and where its engine listens."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ecart.errors import EngineError

# The kernel takes 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 103
LONGEST_LOG = 1 << 20


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder that exists and can be written."""

    path: Path

    @classmethod
    def prepare(cls, path: Path) -> Folder:
        """Make the folder, readable by its owner alone, unless it exists.

        Raises:
            EngineError: it cannot be made or written.
        """
        path = Path(path).expanduser().resolve()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                return cls(path)
        except FileExistsError as error:
            raise EngineError(f"the data folder {path} is a file") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise EngineError(f"the data folder {path} cannot be used: {reason}") from error

    @property
    def log(self) -> Path:
        """Where the engine writes its messages."""
        return self.path / "engine.log"

    def fresh_log(self) -> Path:
        """Return the log after putting a long one aside, so that it cannot fill the disk."""
        if self.log.exists() and self.log.stat().st_size > LONGEST_LOG:
            self.log.replace(self.path / "engine.log.1")
        return self.log

    def holds_data(self) -> bool:
        """Tell whether some engine has left files here."""
        return any(
            entry.name == "appendonlydir" or entry.suffix in (".aof", ".rdb")
            for entry in self.path.iterdir()
        )

    def socket_path(self) -> Path:
        """Return where the engine is to listen: here, or in a private folder if that is too long.

        Raises:
            EngineError: the private folder belongs to somebody else or is open to others.
        """
        path = self.path / "engine.sock"
        if _fits(path):
            return path
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        bases = (os.environ.get("XDG_RUNTIME_DIR") or "/tmp", tempfile.gettempdir(), "/tmp")
        places = [Path(base) / f"ecart-{os.getuid()}-{digest}" for base in bases]
        folder = next(place for place in places if _fits(place / "engine.sock"))
        _make_private(folder)
        return folder / "engine.sock"

    def forget_socket(self, path: Path) -> None:
        """Remove the private folder of a stopped engine, if it had one."""
        if path.parent != self.path:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise EngineError(f"{folder} cannot be made for the engine's socket: {error}") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise EngineError(f"{folder}, for the engine's socket, is not a folder of yours alone")
