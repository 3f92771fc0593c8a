"""A client killed at any instant leaves whole carts, each with its expiry."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ecart import Cart, RedisStore

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from engines import Engine, Engines


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_clients(
    seed: int,
    mode: str,
    engine: Engine,
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    """kill -9 under load: between the adds acknowledged and those begun, and no cart is torn."""
    chance = random.Random(seed)
    logs = [tmp_path / f"log-{number}" for number in range(4)]
    processes = [
        start("adding.py", mode, engine.port, "c", f"sku-{number}", 1_000_000, log)
        for number, log in enumerate(logs)
    ]
    for log in logs:
        while not log.exists() or log.stat().st_size < 20:
            time.sleep(0.01)
    for process in processes:
        time.sleep(chance.uniform(0.01, 0.2))
        process.kill()
        process.wait()

    store = RedisStore(engine.url)
    quantities = {line.sku: line.quantity for line in Cart("c", store).get().lines}
    for number, log in enumerate(logs):
        begun, acknowledged = log.read_bytes().count(b"s"), log.read_bytes().count(b"a")
        assert acknowledged <= quantities[f"sku-{number}"] <= begun
        assert begun - acknowledged <= 8
    assert Cart("c", store).add("sku-0").summary.line_count == 4
    store.close()


def test_a_killed_engine_keeps_what_it_acknowledged(
    engines: Engines, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """With its append-only file synced at each change: kill -9, start again, nothing is missing."""
    engine = engines.acquire_own("valkey9", "--appendonly", "yes", "--appendfsync", "always")
    log = tmp_path / "log"
    adding = start("adding.py", "sync", engine.url, "c", "apple", 1_000_000, log)
    while not log.exists() or log.stat().st_size < 400:
        time.sleep(0.01)

    engine.kill()
    adding.kill()
    adding.wait()
    begun, acknowledged = log.read_bytes().count(b"s"), log.read_bytes().count(b"a")
    engine.start()

    store = RedisStore(engine.url)
    summary = Cart("c", store).summary()
    assert acknowledged <= summary.total_quantity <= begun
    assert summary.version == summary.total_quantity
    store.close()
