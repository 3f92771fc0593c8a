"""The engine's clock is stepped, under load too: sums stay exact, carts whole, expiries apart.

The engine runs under libfaketime, which shifts what its process sees of the wall clock by what a
file says. Its monotonic clock goes on, as that of a machine whose clock is set.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore
from ecart.errors import CheckoutNotOpenError
from engines import eventually, missing
from invariants import violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines

HOUR = 3600


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    """The file that says by how many seconds the engine's clock is off."""
    path = tmp_path / "shift"
    path.write_text("+0")
    return path


@pytest.fixture
def step(shift: Path) -> Callable[[int], None]:
    """Sets the engine's clock, to so many seconds from the true time."""

    def step_to(seconds: int) -> None:
        new = shift.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(shift)
        time.sleep(0.2)  # the engine keeps the time that it looked at for up to 0.1 s

    return step_to


@pytest.fixture
def clocked(engines: Engines, shift: Path) -> Engine:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        missing("no libfaketime (Debian: apt-get install libfaketime)")
    return engines.acquire_own(
        "valkey9",
        through=(
            "env",
            f"LD_PRELOAD={found[0]}",
            f"FAKETIME_TIMESTAMP_FILE={shift}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ),
    )


@pytest.fixture
def store(clocked: Engine) -> Iterator[RedisStore]:
    store = RedisStore(clocked.url)
    yield store
    store.close()


def offset(engine: Engine) -> float:
    """How many seconds the engine's clock is ahead."""
    with engine.connected() as client:
        seconds, micros = client.time()
    return float(seconds + micros / 1e6 - time.time())


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_is_survived(
    clocked: Engine, store: RedisStore, step: Callable[[int], None], hours: int
) -> None:
    """Lines, sums and versions go on; the time to live is that of the last change again."""
    cart = Cart("c", store)
    cart.add("apple", 2, unit_price="1.5", operation_id="x")

    step(hours * HOUR)

    assert round(offset(clocked) / HOUR) == hours
    assert cart.get().total_quantity == 2
    assert abs((cart.ttl() or 0) - (604_800 - hours * HOUR)) <= 2
    assert cart.add("apple", 2, unit_price="1.5", operation_id="x").replayed
    change = cart.add("pear", unit_price="1")
    assert (change.version, change.summary.total_quantity) == (2, 3)
    assert abs((cart.ttl() or 0) - 604_800) <= 2
    step(0)
    assert cart.add("pear").version == 3


def test_a_short_life_ends_early_or_late(store: RedisStore, step: Callable[[int], None]) -> None:
    """What was to live for a minute is gone after a step forwards, whole after one backwards."""
    early, late = Cart("early", store, ttl=60), Cart("late", store, ttl=60)
    late.add("apple")
    step(-HOUR)
    assert late.get().total_quantity == 1
    assert late.add("apple").version == 2
    step(0)
    assert eventually(lambda: not late.get().exists)

    early.add("apple")
    step(HOUR)

    assert eventually(lambda: not early.get().exists)
    assert early.add("apple").version == 1
    step(0)


def test_a_check_out_ends_early_at_worst(store: RedisStore, step: Callable[[int], None]) -> None:
    """A step over its deadline opens the cart to the next change; nothing is ordered twice."""
    cart = Cart("c", store)
    cart.add("apple")
    held = cart.begin_checkout()

    step(HOUR)
    cart.add("pear")

    with pytest.raises(CheckoutNotOpenError):
        cart.complete_checkout(held.checkout_id, "order-1")
    assert cart.get().total_quantity == 2
    step(0)
    assert cart.add("pear").version == 4


def test_steps_under_load(clocked: Engine, store: RedisStore, step: Callable[[int], None]) -> None:
    """An hour forwards and backwards, again and again: every add is there once."""
    over = threading.Event()

    def stepping() -> int:
        steps = 0
        while not over.is_set():
            steps += 1
            step(HOUR * (steps % 3 - 1))
        step(0)
        return steps

    def add(number: int) -> Any:
        return Cart(f"c{number % 2}", store).add(f"sku-{number % 5}", unit_price="0.10").summary

    with ThreadPoolExecutor(9) as pool:
        steps = pool.submit(stepping)
        summaries = list(pool.map(add, range(6000)))
        over.set()

    assert steps.result() >= 3
    assert max(summary.version for summary in summaries) == 3000
    for number in range(2):
        cart = Cart(f"c{number}", store)
        assert (cart.get().total_quantity, cart.get().version) == (3000, 3000)
        cart.add("last")
    with clocked.connected() as client:
        assert violations(client) == []
