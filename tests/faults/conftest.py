"""Processes for tests: started here, ended by their own pid."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ecart import MemoryStore, RedisStore
from engines import KINDS
from faults.soak import IS_SOAK, SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engines

HERE = Path(__file__).parent


@pytest.fixture
def chance(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> random.Random:
    """Random numbers of the test's own, from the seed that it prints."""
    print(f"ECART_SEED={SEED}")
    if IS_SOAK:
        with capsys.disabled():
            print(f"\nECART_SEED={SEED} {request.node.name}", flush=True)
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture(params=("memory", *KINDS))
def store(request: pytest.FixtureRequest, engines: Engines) -> Iterator[MemoryStore | RedisStore]:
    """Every store, empty."""
    if request.param == "memory":
        yield MemoryStore()
        return
    redis_store = RedisStore(engines.lend(request.param).url)
    yield redis_store
    redis_store.close()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python file of this folder, or the text of a program."""
    started: list[subprocess.Popen[str]] = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    def start_one(program: str, *arguments: Any) -> subprocess.Popen[str]:
        what = [str(HERE / program)] if program.endswith(".py") else ["-c", program]
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *what, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def finish() -> Callable[[subprocess.Popen[str]], str]:
    """Waits for the end of a program that must succeed, and returns what it printed."""

    def finish_one(process: subprocess.Popen[str]) -> str:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        return out.strip()

    return finish_one
