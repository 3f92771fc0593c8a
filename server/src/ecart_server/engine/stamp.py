"""The stamp of a data folder: which engine wrote it, so that no other opens it by mistake.

An engine that cannot read a folder's files may well start with none of them, and every cart would
look empty. So a folder without the right stamp is refused before any engine opens it.
"""

from __future__ import annotations

import json
import os

import msgspec

from ecart.errors import EngineError
from ecart_server.engine.binary import Binary, dotted
from ecart_server.engine.folder import DataFolder

NAME = "engine.json"


class Stamp(msgspec.Struct, frozen=True):
    """Which engine wrote the folder last, and where it listens while it runs."""

    engine: str
    version: str
    socket: str = ""
    pid: int = 0

    @property
    def release(self) -> tuple[int, ...]:
        """Major and minor number: within one release the files stay readable."""
        return tuple(int(part) for part in self.version.split(".")[:2])


def stamp_for(folder: DataFolder, binary: Binary) -> Stamp | None:
    """The stamp of a folder that `binary` may open; None for a folder without data.

    Raises:
        EngineError: another engine or a newer release wrote the folder, or the stamp is missing
            or cannot be read.
    """
    if not folder.has_data():
        return None
    stamp = _read(folder)
    wrote = f"{folder.path} was written by {stamp.engine} {stamp.version}"
    if stamp.engine != binary.name:
        raise EngineError(
            f"{wrote} and the engine found is {binary}: their files differ. Choose the engine "
            f"{stamp.engine}, or another data folder"
        )
    if stamp.release > binary.version[:2]:
        raise EngineError(
            f"{wrote} and the engine found is the older {binary}, which may not read it: install "
            f"{stamp.engine} {dotted(stamp.release)} or newer, or choose another data folder"
        )
    return stamp


def write_stamp(folder: DataFolder, stamp: Stamp) -> None:
    """Replaces the stamp atomically: a reader gets the old or the new one, never a part."""
    draft = folder.path / f"{NAME}.draft"
    with draft.open("w") as file:
        # A path may hold bytes that are not UTF-8: json escapes them, msgspec refuses them.
        json.dump(msgspec.structs.asdict(stamp), file)
        file.flush()
        # A stamp that a power cut empties would lock the owner out of the carts.
        os.fsync(file.fileno())
    draft.replace(folder.path / NAME)


def _read(folder: DataFolder) -> Stamp:
    path = folder.path / NAME
    try:
        stamp = Stamp(**json.loads(path.read_text()))
        if not stamp.release or not isinstance(stamp.pid, int):
            raise ValueError("a field has the wrong form")
    except FileNotFoundError as error:
        example = '{"engine": "redis", "version": "7.0.15"}'
        raise EngineError(
            f"{folder.path} holds the files of an engine and no {NAME} to tell which. Choose "
            f"another data folder or, if you know what wrote it, say so there: {example}"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise EngineError(f"{path} cannot be read: {error}") from error
    return stamp
