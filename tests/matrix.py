"""The oldest and the newest of what ecart stands on: each a cell, with the tests that depend on it.

`make test-matrix` runs all cells, `make test-matrix ARGS="redis flask-oldest"` those named so or
beginning so. A cell is a virtual environment below .matrix, made once, and once a day where the
newest is asked for. It has one framework, so that none bounds another; what it does not pin is as
in requirements/dev.txt. Needs the standard library alone.
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
from datetime import date
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".matrix"
PROJECTS = {
    where: tomllib.loads((ROOT / where / "pyproject.toml").read_text()) for where in ("", "server")
}
STATED = {
    where: each["tool"]["hatch"]["metadata"]["hooks"]["custom"] for where, each in PROJECTS.items()
}
REQUIRED = [*PROJECTS[""]["project"]["dependencies"], *STATED["server"]["dependencies"]]
EXTRAS = {
    f"ecart-server[{name}]" if where else name: lines
    for where, stated in STATED.items()
    for name, lines in stated["optional-dependencies"].items()
}
"""The extras of the library by their names, those of the server as `ecart-server[name]`."""

FRAMEWORKS = ("flask", "django", "starlette", "fastapi", "litestar")
OPTIONAL = ("fast", *FRAMEWORKS)
ON_REDIS = ("tests/redis", "tests/conformance")
WITHOUT_FRAMEWORK = ("-k", f"not ({' or '.join(FRAMEWORKS)})")
ON_SQL = ("tests/unit/test_sql_catalog.py", "tests/http/test_catalogs.py", *WITHOUT_FRAMEWORK)
SERVICE = ("server/tests/service", "server/tests/cli", "tests/http", *WITHOUT_FRAMEWORK)
ELSEWHERE = ("faults", "browser", "typing")
"""Folders of tests that are long, or look at what no version changes."""
ANYWHERE = tuple(
    f"{tests}/{folder.name}"
    for tests in ("tests", "server/tests")
    for folder in sorted((ROOT / tests).iterdir())
    if folder.name not in ELSEWHERE and any(folder.glob("test_*.py"))
)


def oldest(*names: str) -> tuple[str, ...]:
    """Pins to the versions that pyproject.toml calls the oldest."""
    stated = [*REQUIRED, *(line for lines in EXTRAS.values() for line in lines)]
    found = {name_of(line): line for line in stated}
    return tuple(f"{name}=={found[name].partition('>=')[2].partition(';')[0]}" for name in names)


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0].lower().replace("_", "-") if found else ""


@dataclass(frozen=True)
class Cell:
    """One run. `pins` are requirements; one without a version is the newest there is.

    Of the frameworks and speed-ups only `extras` are there. `alone` are put in last, whatever
    others ask.
    """

    name: str
    pins: tuple[str, ...]
    tests: tuple[str, ...]
    extras: tuple[str, ...] = ()
    python: str = ""
    alone: tuple[str, ...] = ()


def of_framework(name: str, which: str, *pins: str, python: str = "") -> Cell:
    files = sorted((ROOT / "tests/integrations").glob(f"test_{name}*.py"))
    tests = ("tests/http", *map(str, files), "tests/integrations/test_workers.py", "-k", name)
    return Cell(f"{name}-{which}", pins, tests, (name,), python)


CELLS = (
    Cell("redis-oldest", oldest("redis"), ON_REDIS),
    Cell("redis-6.4", ("redis==6.4.*",), ON_REDIS),
    Cell("redis-7.4", ("redis==7.4.*",), ON_REDIS),
    Cell("redis-newest", ("redis",), ON_REDIS),
    Cell("msgspec-oldest", oldest("msgspec"), ("tests/unit", *SERVICE), ("fast",)),
    # The wheel with the engine asks for a newer client, which is not used.
    Cell("valkey-oldest", (), ("tests/redis", "-k", "valkey"), alone=oldest("valkey")),
    Cell(
        "fast-oldest",
        oldest("hiredis", "uvloop", "httptools"),
        ("tests/redis", "server/tests/service"),
    ),
    of_framework("flask", "oldest", *oldest("flask"), "werkzeug==3.0.0"),
    of_framework("flask", "newest", "flask", "werkzeug"),
    of_framework("django", "oldest", *oldest("django")),
    of_framework("django", "newest", "django", python="3.13"),
    of_framework("starlette", "oldest", *oldest("starlette"), "httpx==0.28.*"),
    of_framework("starlette", "newest", "starlette"),
    of_framework("fastapi", "oldest", *oldest("fastapi", "starlette"), "httpx==0.28.*"),
    of_framework("fastapi", "newest", "fastapi", "starlette"),
    of_framework("litestar", "oldest", *oldest("litestar"), "sniffio"),  # which it uses unasked
    of_framework("litestar", "newest", "litestar"),
    Cell("sqlalchemy-oldest", oldest("sqlalchemy"), ON_SQL),
    Cell("sqlalchemy-newest", ("sqlalchemy",), ON_SQL),
    Cell(
        "server-oldest",
        (
            *oldest("starlette", "uvicorn", "itsdangerous", "click", "jinja2", "prometheus-client"),
            "httpx==0.28.*",  # what Starlette's test client stands on then
        ),
        SERVICE,
        ("fast",),
        alone=oldest("rich"),  # a tool of the tests asks for a newer one
    ),
    Cell("python-3.11", (), ANYWHERE, OPTIONAL, python="3.11"),
    Cell("python-3.12", (), ANYWHERE, OPTIONAL, python="3.12"),
    Cell("python-3.13", (), ANYWHERE, OPTIONAL, python="3.13"),
    Cell("python-3.14", (), ANYWHERE, OPTIONAL, python="3.14"),
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
    python = interpreter(cell.python)
    if python is None:
        return cell.name, "skipped", 0, f"no Python {cell.python} on PATH or with pyenv"
    home = FOLDER / cell.name
    log = FOLDER / f"{cell.name}.log"
    FOLDER.mkdir(exist_ok=True)
    with log.open("w") as said:
        passed = prepare(cell, python, home, said) and test(cell, home, said)
    if not passed:
        print(log.read_text(errors="replace")[-6000:])
    what = f"{versions(cell, home)}; {last_line(log)}"
    return cell.name, "passed" if passed else "failed", time.monotonic() - began, what


def interpreter(version: str) -> str | None:
    """An interpreter of this version; that which runs here if none is asked for."""
    if version in ("", "{}.{}".format(*sys.version_info)):
        return sys.executable
    by_pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    return str(by_pyenv[-1]) if by_pyenv else shutil.which(f"python{version}")


def prepare(cell: Cell, python: str, home: Path, said: IO[str]) -> bool:
    """Makes the environment, unless it is there and made of the same."""
    pinned, wanted = {name_of(pin) for pin in cell.pins}, requirements(cell)
    today = [] if all("==" in pin for pin in cell.pins) else [str(date.today())]
    made_of = "\n".join([python, *cell.pins, *cell.alone, *wanted, *constraints(pinned), *today])
    stamp = home / "made-of"
    if stamp.is_file() and stamp.read_text() == made_of:
        return True
    shutil.rmtree(home, ignore_errors=True)
    bounds = home / "constraints.txt"
    own = str(home / "bin/python")
    steps = (
        [python, "-m", "venv", str(home)],
        [own, "-m", "pip", "install", "-q", "-c", str(bounds), *cell.pins, *wanted],
        [
            *(own, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"),
            *("-e", str(ROOT), "-e", str(ROOT / "server")),
        ],
        *([own, "-m", "pip", "install", "-q", "--no-deps", pin] for pin in cell.alone),
    )
    for step in steps:
        if home.is_dir():
            bounds.write_text("\n".join(constraints(pinned)))
        if subprocess.run(step, stdout=said, stderr=said, cwd=ROOT).returncode:
            return False
    stamp.write_text(made_of)
    return True


def test(cell: Cell, home: Path, said: IO[str]) -> bool:
    # Starlette 0.41 reads a name that anyio would rather see elsewhere.
    let_be = "ignore:The anyio.abc.BlockingPortal alias:DeprecationWarning"
    options = ["-q", "-W", let_be, "-n", os.environ.get("JOBS", "auto"), "-p", "no:cacheprovider"]
    command = [str(home / "bin/python"), "-m", "pytest", *options, *cell.tests]
    done = subprocess.run(command, stdout=said, stderr=said, cwd=ROOT)
    return bool(done.returncode == 0) and " passed" in last_line(Path(said.name))


def last_line(log: Path) -> str:
    """What pytest counts at its end, or how it failed before."""
    return log.read_text(errors="replace").rstrip().rpartition("\n")[2].strip(" =")


def requirements(cell: Cell) -> list[str]:
    """What the project asks for: itself, its extras, and the tests'.

    Left out are other frameworks, with what tests them (`flask-login`), and the browser.
    """
    groups = PROJECTS[""]["dependency-groups"]
    without = {"playwright", "axe", *OPTIONAL} - {*cell.extras}
    extras = [
        line
        for name, lines in EXTRAS.items()
        if name.removeprefix("ecart-server[").removesuffix("]") not in without
        for line in lines
    ]
    tests = [line for line in groups["test"] if name_of(line).partition("-")[0] not in without]
    outside = [line for line in (*REQUIRED, *extras) if not line.startswith("ecart")]
    return [*outside, *groups["build"], *tests]


def constraints(pinned: set[str]) -> list[str]:
    """The versions of the lock, but for what the cell chooses itself."""
    lock = (ROOT / "requirements/dev.txt").read_text()
    lines = re.findall(r"^[a-zA-Z].*?(?= \\)", lock, re.MULTILINE)
    return [line for line in lines if name_of(line) not in pinned]


def versions(cell: Cell, home: Path) -> str:
    """The Python and the pinned packages that were really there."""
    names = [name_of(pin) for pin in (*cell.pins, *cell.alone)]
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
