"""Engines for every test, and the look at what each test left in them."""

from __future__ import annotations

import asyncio
import os
import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from engines import KINDS, Engine, Engines
from faults.soak import IS_SOAK, SEED
from invariants import violations

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile(
    "default",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("soak", settings.get_profile("default"), max_examples=5000)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("soak" if IS_SOAK else "default")
    os.environ["ECART_SEED"] = SEED  # one for all processes of a run
    config.addinivalue_line(
        "markers",
        "foreign_data: the test plants data that is no cart; what it leaves is not checked",
    )


def pytest_report_header() -> str:
    return f"ECART_SEED={SEED}"


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """The servers of this test process."""
    running = Engines()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop, for tests that are written once for sync and async."""
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(autouse=True)
def every_key_is_sound(request: pytest.FixtureRequest, engines: Engines) -> Iterator[None]:
    """After every test, each key of each engine it used is a cart in order."""
    yield
    lent = engines.take_back()
    try:
        if request.node.get_closest_marker("foreign_data") is None:
            for engine in lent:
                with engine.kept() as client:
                    assert violations(client, allowed=NOT_CARTS) == [], engine
    finally:
        engines.stop_own()


NOT_CARTS: tuple[re.Pattern[bytes], ...] = ()
"""Names of keys that are planned beside the carts."""


@pytest.fixture
def engine(engines: Engines) -> Engine:
    """An empty Valkey 9: the engine of tests that do not ask for another."""
    return engines.acquire("valkey9")


@pytest.fixture(params=KINDS)
def any_engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """Each kind of engine in turn, empty."""
    return engines.acquire(request.param)


@pytest.fixture
def own_engine(engines: Engines) -> Engine:
    """A Valkey 9 that no other test uses: to be killed, frozen, filled."""
    return engines.acquire_own("valkey9", tcp=True)


@pytest.fixture
def chance(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> random.Random:
    """Random numbers of the test's own, from the seed that it prints."""
    print(f"ECART_SEED={SEED}")
    if IS_SOAK:
        with capsys.disabled():
            print(f"\nECART_SEED={SEED} {request.node.name}", flush=True)
    return random.Random(f"{SEED} {request.node.name}")
