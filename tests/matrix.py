"""The oldest and the newest of what ecart stands on: each a cell, with the tests that depend on it.

`make test-matrix` runs all cells, `make test-matrix ARGS="redis flask-oldest"` those named so or
beginning so. A cell is a virtual environment below .matrix, made once. What a cell does not pin is
as in requirements/dev.txt. Needs the standard library alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".matrix"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]

ON_REDIS = ("tests/redis", "tests/conformance")
ANYWHERE = ("tests/unit", *ON_REDIS, "tests/integrations", "tests/service", "tests/cli")


def over_http(name: str) -> tuple[str, ...]:
    return ("tests/http", "tests/integrations", "-k", name)


@dataclass(frozen=True)
class Cell:
    """One run. `pins` are requirements; one without a version is the newest there is.

    A cell whose `extra` the project does not have is left out.
    """

    name: str
    pins: tuple[str, ...]
    tests: tuple[str, ...]
    python: str = ""
    extra: str = ""


CELLS = (
    Cell("redis-5.2", ("redis==5.2.*",), ON_REDIS),
    Cell("redis-6.4", ("redis==6.4.*",), ON_REDIS),
    Cell("redis-7.4", ("redis==7.4.*",), ON_REDIS),
    Cell("redis-newest", ("redis>=8",), ON_REDIS),
    Cell("flask-oldest", ("flask==3.0.0", "werkzeug==3.0.0"), over_http("flask"), extra="flask"),
    Cell("flask-newest", ("flask", "werkzeug"), over_http("flask"), extra="flask"),
    Cell("starlette-oldest", ("starlette==0.41.*",), over_http("starlette"), extra="starlette"),
    Cell("starlette-newest", ("starlette",), over_http("starlette"), extra="starlette"),
    Cell("django-5.2", ("django==5.2.*",), over_http("django"), extra="django"),
    Cell("django-newest", ("django",), over_http("django"), extra="django"),
    Cell("fastapi-newest", ("fastapi",), over_http("fastapi"), extra="fastapi"),
    Cell("litestar-2.16", ("litestar==2.16.*",), over_http("litestar"), extra="litestar"),
    Cell("litestar-newest", ("litestar",), over_http("litestar"), extra="litestar"),
    Cell(
        "sqlalchemy-2.0",
        ("sqlalchemy==2.0.*",),
        ("tests/unit/test_sql_catalog.py", "tests/http/test_catalogs.py"),
        extra="sql",
    ),
    Cell("python-3.11", (), ANYWHERE, python="3.11"),
    Cell("python-3.12", (), ANYWHERE, python="3.12"),
    Cell("python-3.13", (), ANYWHERE, python="3.13"),
)


def main(names: list[str]) -> int:
    """Runs the cells named, all without a name; the exit code tells of failures."""
    chosen = [cell for cell in CELLS if not names or any(is_called(cell, name) for name in names)]
    for name in names:
        if not any(is_called(cell, name) for cell in CELLS):
            print(f"no cell {name!r}; there are: {' '.join(cell.name for cell in CELLS)}")
            return 2
    rows = [run(cell) for cell in chosen]
    print()
    for name, result, seconds, what in rows:
        print(f"{name:18} {result:8} {seconds:>5.0f} s  {what}")
    return any(result == "failed" for _, result, _, _ in rows)


def is_called(cell: Cell, name: str) -> bool:
    return cell.name == name or cell.name.startswith(f"{name}-")


def run(cell: Cell) -> tuple[str, str, float, str]:
    """The cell's row in the table at the end."""
    began = time.monotonic()
    print(f"{cell.name} ...", flush=True)
    if cell.extra and cell.extra not in EXTRAS:
        return cell.name, "skipped", 0, f"the project has no extra {cell.extra!r}"
    python = interpreter(cell.python)
    if python is None:
        return cell.name, "skipped", 0, f"no Python {cell.python} on PATH or with pyenv"
    home = FOLDER / cell.name
    log = FOLDER / f"{cell.name}.log"
    FOLDER.mkdir(exist_ok=True)
    with log.open("w") as said:
        passed = prepare(cell, python, home, said) and test(cell, home, said)
    text = log.read_text(errors="replace")
    if not passed:
        print(text[-6000:])
    what = f"{versions(cell, home)}; {text.rstrip().rpartition(chr(10))[2].strip(' =')}"
    return cell.name, "passed" if passed else "failed", time.monotonic() - began, what


def interpreter(version: str) -> str | None:
    """An interpreter of this version; that which runs here if none is asked for."""
    if version in ("", "{}.{}".format(*sys.version_info)):
        return sys.executable
    by_pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    return str(by_pyenv[-1]) if by_pyenv else shutil.which(f"python{version}")


def prepare(cell: Cell, python: str, home: Path, said: IO[str]) -> bool:
    """Makes the environment, unless it is there and made of the same."""
    pinned, wanted = {name_of(pin) for pin in cell.pins}, requirements()
    made_of = "\n".join([python, *cell.pins, *wanted, *constraints(pinned)])
    stamp = home / "made-of"
    if stamp.is_file() and stamp.read_text() == made_of:
        return True
    shutil.rmtree(home, ignore_errors=True)
    bounds = home / "constraints.txt"
    own = str(home / "bin/python")
    steps = (
        [python, "-m", "venv", str(home)],
        [own, "-m", "pip", "install", "-q", "-c", str(bounds), *cell.pins, *wanted],
        [own, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    )
    for step in steps:
        if home.is_dir():
            bounds.write_text("\n".join(constraints(pinned)))
        if subprocess.run(step, stdout=said, stderr=said, cwd=ROOT).returncode:
            return False
    stamp.write_text(made_of)
    return True


def test(cell: Cell, home: Path, said: IO[str]) -> bool:
    options = ["-q", "-n", os.environ.get("JOBS", "auto"), "-p", "no:cacheprovider"]
    command = [str(home / "bin/python"), "-m", "pytest", *options, *cell.tests]
    done = subprocess.run(command, stdout=said, stderr=said, cwd=ROOT)
    return bool(done.returncode == 0)


def requirements() -> list[str]:
    """What the project asks for: itself, all extras but the speed-ups, and the tests."""
    groups = PROJECT["dependency-groups"]
    extras = [line for name, lines in EXTRAS.items() if name != "fast" for line in lines]
    return [*PROJECT["project"]["dependencies"], *extras, *groups["build"], *groups["test"]]


def constraints(pinned: set[str]) -> list[str]:
    """The versions of the lock, but for what the cell chooses itself."""
    lock = (ROOT / "requirements/dev.txt").read_text()
    lines = re.findall(r"^[a-zA-Z].*?(?= \\)", lock, re.MULTILINE)
    return [line for line in lines if name_of(line) not in pinned]


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0].lower().replace("_", "-") if found else ""


def versions(cell: Cell, home: Path) -> str:
    """The Python and the pinned packages that were really there."""
    names = [name_of(pin) for pin in cell.pins]
    code = (
        "import sys, importlib.metadata as m; "
        "print('Python', '.'.join(map(str, sys.version_info[:3])), "
        "*(n + ' ' + m.version(n) for n in sys.argv[1:]), sep=', ')"
    )
    told = subprocess.run(
        [str(home / "bin/python"), "-c", code, *names], capture_output=True, text=True
    )
    return told.stdout.strip().replace("Python, ", "Python ") or "not made"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
