"""Processes for tests: started here, ended by their own pid."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ecart import MemoryStore, RedisStore
from engines import KINDS
from faults.soak import IS_SOAK
from topologies.cluster import Cluster
from topologies.sentinels import Sentinels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engines

HERE = Path(__file__).parent


@pytest.fixture(params=("memory", *KINDS))
def store(request: pytest.FixtureRequest, engines: Engines) -> Iterator[MemoryStore | RedisStore]:
    """Every store, empty."""
    if request.param == "memory":
        yield MemoryStore()
        return
    redis_store = RedisStore(engines.acquire(request.param).url)
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


REPLICATING = ("valkey9", "redis7", "redis8") if IS_SOAK else ("valkey9",)
"""Engines whose fail-overs are looked at; Redis 6.2 has no CLUSTER ADDSLOTSRANGE."""


@pytest.fixture(scope="session", params=REPLICATING)
def running_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three primaries with a replica each, for the tests of this process."""
    cluster = Cluster(request.param)
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, whole and empty; what a test leaves there is looked at."""
    running_cluster.heal()
    running_cluster.empty()
    yield running_cluster
    gc.collect()  # what a client has left behind is to be told of in this test
    running_cluster.heal()
    assert running_cluster.violations() == []


@pytest.fixture(scope="session", params=REPLICATING)
def running_sentinels(request: pytest.FixtureRequest) -> Iterator[Sentinels]:
    """A primary, two replicas and three Sentinels, for the tests of this process."""
    sentinels = Sentinels(request.param)
    yield sentinels
    sentinels.stop()


@pytest.fixture
def sentinels(running_sentinels: Sentinels) -> Iterator[Sentinels]:
    """The watched servers, in step and empty; what a test leaves there is looked at."""
    running_sentinels.heal()
    running_sentinels.settle()
    running_sentinels.empty()
    yield running_sentinels
    gc.collect()
    running_sentinels.heal()
    running_sentinels.settle()
    assert running_sentinels.violations() == []
