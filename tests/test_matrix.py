"""What `make test-matrix` says is so: a cell that proves nothing fails, and nothing is left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import matrix

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import pytest

def test_right(): pass
def test_wrong(): assert False
def test_left_out(): pytest.skip("no engine")
"""


@pytest.mark.parametrize(
    ("chosen", "passes"),
    [("right", True), ("right or wrong", False), ("left_out", False), ("nothing", False)],
)
def test_a_cell_without_passed_tests_fails(
    chosen: str, passes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the selection matches nothing, and where all was skipped."""
    monkeypatch.setenv("JOBS", "0")
    file, log = tmp_path / "test_some.py", tmp_path / "log"
    file.write_text(TESTS)
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (home / "bin/python").chmod(0o700)

    with log.open("w") as said:
        passed = matrix.test(matrix.Cell("some", (), (str(file), "-k", chosen)), home, said)

    assert passed is passes, log.read_text()


def test_a_cell_has_one_framework() -> None:
    """So that none bounds the versions of another; the tests' own packages for it come along."""
    (cell,) = [cell for cell in matrix.CELLS if cell.name == "flask-oldest"]

    names = {matrix.name_of(line) for line in matrix.requirements(cell)}

    assert {"flask", "flask-login", "redis", "starlette", "pytest"} <= names
    assert not {"django", "fastapi", "litestar", "hiredis", "playwright"} & names


def test_a_cell_is_bounded_by_the_lock_but_for_what_it_pins() -> None:
    """A failure points at what the cell is about."""
    names = {matrix.name_of(line) for line in matrix.constraints({"redis"})}

    assert {"flask", "msgspec", "valkey"} <= names
    assert "redis" not in names


ABSENT = """
import sys
sys.modules["litestar"] = None
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_an_absent_framework_is_skipped_with_its_reason_and_fails_in_ci() -> None:
    """Its tests' files and its adapter alike."""
    files = ("tests/integrations/test_litestar.py", "tests/http/test_host_apps.py")
    options = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "-k", "litestar")
    command = [sys.executable, "-c", ABSENT, *options, *files]

    desk, ci = (
        subprocess.run(
            command,
            cwd=matrix.ROOT,
            env={**os.environ, "CI": value},
            capture_output=True,
            text=True,
            timeout=60,
        )
        for value in ("", "true")
    )

    skipped = r"SKIPPED \[\d+\] tests/(\S+):\d+: no litestar: pip install litestar"
    assert set(re.findall(skipped, desk.stdout)) == {"engines.py", "http/test_host_apps.py"}
    assert " passed" not in desk.stdout and " failed" not in desk.stdout
    assert ci.returncode != 0
    assert " passed" not in ci.stdout
    named = "(ERROR|FAILED) {}.* in CI: no litestar"
    assert all(re.search(named.format(file), ci.stdout) for file in files)
