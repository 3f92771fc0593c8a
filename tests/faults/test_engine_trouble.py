"""An engine in trouble: each caller is told what is known, in time, and goes on afterwards."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore, StoreUnavailableError
from engines import eventually
from faults.callers import CALLERS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines
    from faults.callers import Caller

DEADLINE = 0.5
BUSY = 0.3
"""Seconds beyond a tenth of the deadline, for a machine that is busy with other tests."""

EITHER = "store_unavailable or outcome_unknown"
LANDED = {"outcome_unknown": (0, 1), "store_unavailable": (0,), "ok": (1,)}
"""How often a change is done of which this was said."""


@contextlib.contextmanager
def memory_full(engine: Engine) -> Iterator[None]:
    with engine.connected() as control:
        control.config_set("maxmemory-policy", "noeviction")
        control.config_set("maxmemory", "1")
        yield
        control.config_set("maxmemory", "0")


@contextlib.contextmanager
def disk_full(engine: Engine) -> Iterator[None]:
    """No file of the engine may grow, so that it cannot write what it has accepted.

    One that syncs each change would end; see below.
    """
    with engine.connected() as control:
        control.config_set("appendfsync", "everysec")
    limits = resource.prlimit(engine.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    store = RedisStore(engine.url, deadline=0.05)
    filling = Cart("filling", store)
    with contextlib.suppress(StoreUnavailableError):
        while True:
            filling.add("apple")
    yield
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, limits)
    # The engine looks once a second whether it can write again.
    assert eventually(lambda: is_writable(filling))
    with engine.connected() as control:
        control.config_set("appendfsync", "always")
    store.close()


def is_writable(cart: Cart) -> bool:
    with contextlib.suppress(StoreUnavailableError):
        return bool(cart.add("apple"))
    return False


@contextlib.contextmanager
def turned_away(engine: Engine) -> Iterator[None]:
    """Nobody else is let in, and who was in is out."""
    with engine.connected() as control:
        control.config_set("maxclients", "1")
        control.client_kill_filter(_type="normal", skipme=True)
        time.sleep(0.05)
        yield
        control.config_set("maxclients", "1000")


@contextlib.contextmanager
def gone(engine: Engine) -> Iterator[None]:
    engine.kill()
    yield
    engine.start()


@contextlib.contextmanager
def loading(engine: Engine) -> Iterator[None]:
    """Back at once, and busy for a while with reading what it had written."""
    with engine.connected() as control, control.pipeline(transaction=False) as pipe:
        for _ in range(60_000):
            pipe.set("filling", 1)
        pipe.delete("filling").execute()
    engine.kill()
    start = threading.Thread(target=engine.start)
    start.start()
    assert eventually(lambda: is_loading(engine))
    yield
    assert is_loading(engine), "it had loaded before it was asked"
    with engine.connected() as control:
        control.config_set("key-load-delay", 0)
    start.join()


def is_loading(engine: Engine) -> bool:
    with contextlib.suppress(Exception), engine.connected() as client:
        return bool(client.info("persistence")["loading"])
    return False


# What an add, a removal and a reading come to meanwhile.
TROUBLES: dict[str, tuple[Callable[[Engine], Any], str, str, str]] = {
    "memory full": (memory_full, "store_unavailable", "ok", "ok"),
    "disk full": (disk_full, "store_unavailable", "store_unavailable", "ok"),
    "frozen": (
        lambda engine: engine.frozen(),
        "outcome_unknown",
        "outcome_unknown",
        "store_unavailable",
    ),
    "turned away": (turned_away, *["store_unavailable"] * 3),
    "gone": (gone, *["store_unavailable"] * 3),
    # An answer of a busy engine may come too late to be heard.
    "loading": (loading, EITHER, EITHER, "store_unavailable"),
}


@pytest.fixture
def recording(engines: Engines) -> Engine:
    """An engine that writes its append-only file, and can be told how large files may be."""
    return engines.acquire_own(
        "valkey9",
        *("--appendonly", "yes", "--appendfsync", "always", "--key-load-delay", "30"),
        tcp=True,
        through=("env", "--ignore-signal=XFSZ"),
    )


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble(trouble: str, caller: str, recording: Engine, runner: asyncio.Runner) -> None:
    """The right word for each call; what was told is true; then the same handle goes on."""
    begin, adding, removing, reading = TROUBLES[trouble]
    calling: Caller = CALLERS[caller](recording.tcp_url, DEADLINE, runner)
    try:
        assert [calling.add(), calling.add()] == ["ok", "ok"]
        with begin(recording):
            # The reading comes first: from it on, a lost connection is known to be lost.
            read, added = calling.read(), calling.add()
        assert (read, added in adding) == (reading, True)
        units = calling.units()
        assert units - 2 in LANDED[added]
        assert (calling.add(), calling.units()) == ("ok", units + 1)

        with begin(recording):
            read, removed = calling.read(), calling.remove()

        assert (read, removed in removing) == (reading, True)
        assert calling.units() in [(units + 1) * (1 - landed) for landed in LANDED[removed]]
    finally:
        calling.close()


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize(
    ("trouble", "deadline"),
    [("frozen", 0.3), ("frozen", 3.0), ("turned away", 1.0), ("gone", 1.0)],
)
def test_the_deadline_is_kept(
    trouble: str, deadline: float, mode: str, recording: Engine, runner: asyncio.Runner
) -> None:
    """The caller is told within a tenth of it: no last attempt goes on beyond."""
    calling = CALLERS[mode](recording.tcp_url, deadline, runner)
    assert calling.add() == "ok"
    with TROUBLES[trouble][0](recording):
        began = time.monotonic()
        said = calling.add()
        seconds = time.monotonic() - began

    assert said in EITHER
    assert seconds <= 1.1 * deadline + BUSY
    assert seconds >= (0.9 if trouble == "frozen" else 0.5) * deadline
    assert calling.add() == "ok"
    calling.close()


def test_a_full_disk_ends_an_engine_that_syncs_each_change(engines: Engines) -> None:
    """It cannot answer what it cannot keep: it ends. With space, what was acknowledged is there."""
    engine = engines.acquire_own(
        "valkey9",
        *("--appendonly", "yes", "--appendfsync", "always"),
        through=("env", "--ignore-signal=XFSZ"),
    )
    calling = CALLERS["sync"](engine.url, DEADLINE, None)  # type: ignore[arg-type]
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    acknowledged = 0
    while (said := calling.add()) == "ok":
        acknowledged += 1

    assert said == "outcome_unknown"
    assert calling.add() == calling.read() == "store_unavailable"
    assert acknowledged > 3
    engine.kill()
    engine.start()
    assert acknowledged <= calling.units() <= acknowledged + 1
    assert calling.add() == "ok"
    calling.close()
