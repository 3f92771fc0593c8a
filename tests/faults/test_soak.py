"""A soak can be run again: it tells one seed, and all of its processes draw from that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAWN = "tests/faults/test_soak.py::test_drawn"


def test_drawn(chance, record_property) -> None:
    """What is drawn from the seed, for the test below to compare."""
    record_property("drawn", chance.random())


def told(tmp_path: Path, **environ: str) -> tuple[str, str]:
    """A soak with a worker: the seed that it tells, and what its test has drawn."""
    report = tmp_path / "report.xml"
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1")
    ran = subprocess.run(
        [*command, f"--junit-xml={report}", DRAWN],
        cwd=ROOT,
        env={**os.environ, "ECART_SOAK": "1", **environ},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    (seed,) = (line for line in ran.stdout.splitlines() if line.startswith("ECART_SEED="))
    drawn = report.read_text().partition('name="drawn" value="')[2].partition('"')[0]
    return seed.partition("=")[2], drawn


def test_a_soak_is_repeated_by_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a seed it draws one and tells it; given that one, it draws the same again."""
    monkeypatch.delenv("ECART_SEED", raising=False)
    seed, drawn = told(tmp_path)

    assert seed != "1"
    assert told(tmp_path, ECART_SEED=seed) == (seed, drawn)
