"""mypy and what it must say of the files beside this one."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from engines import missing

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_users_see_these_types() -> None:
    """Strict, with each expected mistake found and no other."""
    if find_spec("mypy") is None:
        missing("mypy is not installed: pip install mypy")

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "tests/typing/carts.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert checked.stdout.startswith("Success"), checked.stdout + checked.stderr
