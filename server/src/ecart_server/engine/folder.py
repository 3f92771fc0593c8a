"""The data folder of an embedded engine: its checks, its files, and the path of its socket."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

import msgspec

from ecart.errors import EngineError

# The kernel takes 107 bytes on Linux and 103 on macOS.
MAX_SOCKET_PATH_BYTES = 103
MAX_LOG_BYTES = 1 << 20


class DataFolder(msgspec.Struct, frozen=True):
    """A data folder that exists and can be written."""

    path: Path

    @classmethod
    def prepare(cls, path: Path) -> DataFolder:
        """Creates the folder, readable by its owner alone, unless it exists.

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

    def rotate_log(self) -> Path:
        """The log; a long one is renamed to `engine.log.1`, so that it cannot fill the disk."""
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.path / "engine.log.1")
        return self.log

    def has_data(self) -> bool:
        """Whether an engine has written files here."""
        return any(
            entry.name == "appendonlydir" or entry.suffix in (".aof", ".rdb")
            for entry in self.path.iterdir()
        )

    def socket_path(self) -> Path:
        """Where the engine is to listen: here, or in a private folder if that path is too long.

        Raises:
            EngineError: the private folder belongs to somebody else or is open to others.
        """
        path = self.path / "engine.sock"
        if _fits(path):
            return path
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        bases = (os.environ.get("XDG_RUNTIME_DIR") or "/tmp", tempfile.gettempdir(), "/tmp")
        folders = [Path(base) / f"ecart-{os.getuid()}-{digest}" for base in bases]
        folder = next(folder for folder in folders if _fits(folder / "engine.sock"))
        _make_private(folder)
        return folder / "engine.sock"

    def remove_private_folder(self, socket: Path) -> None:
        """Removes the private folder of a stopped engine's socket, if it had one."""
        if socket.parent != self.path:
            with contextlib.suppress(OSError):
                socket.unlink(missing_ok=True)
                socket.parent.rmdir()


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise EngineError(f"{folder} cannot be made for the engine's socket: {error}") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise EngineError(f"{folder}, for the engine's socket, is not a folder of yours alone")
