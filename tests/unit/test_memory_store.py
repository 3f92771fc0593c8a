"""The memory store by its clock: what takes time in an engine is told here in milliseconds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ecart import AsyncCart, AsyncMemoryStore, Cart, MemoryStore


class Clock:
    """Milliseconds since 1970, as a test likes."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_cart_expires_to_the_millisecond(clock: Clock) -> None:
    """After its time to live, counted from the last change."""
    cart = Cart("c", MemoryStore(clock=clock), ttl=60)
    cart.add("apple")
    clock.now += 59_999
    assert cart.contains("apple")
    assert cart.ttl() == 1
    clock.now += 1

    assert not cart.contains("apple")
    assert cart.add("pear").version == 1


def test_the_trace_of_a_destroyed_cart_lasts_15_minutes(clock: Clock) -> None:
    """So long a late repeat is known; then versions begin again."""
    cart = Cart("c", MemoryStore(clock=clock))
    cart.add("apple", operation_id="x")
    cart.destroy()
    clock.now += 15 * 60_000 - 1
    assert cart.add("apple", operation_id="x").replayed
    clock.now += 1

    assert cart.add("apple", operation_id="x").version == 1


def test_times_are_the_clocks(clock: Clock) -> None:
    """Created once, updated with each change."""
    cart = Cart("c", MemoryStore(clock=clock))
    cart.add("apple")
    clock.now += 5_000
    summary = cart.add("apple").summary

    assert (summary.created_ms, summary.updated_ms) == (1_700_000_000_000, 1_700_000_005_000)
    assert str(summary.created_at) == "2023-11-14 22:13:20+00:00"


def test_threads_share_it() -> None:
    """One operation at a time."""
    cart = Cart("c", MemoryStore())
    with ThreadPoolExecutor(8) as pool:
        changes = list(pool.map(lambda _: cart.add("apple"), range(400)))

    assert sorted(change.version for change in changes) == list(range(1, 401))


async def test_sync_and_asyncio_share_carts() -> None:
    """Of the same `MemoryStore`."""
    store = MemoryStore()
    Cart("c", store).add("apple")

    assert (await AsyncCart("c", AsyncMemoryStore(store)).add("apple")).version == 2
    assert not (await AsyncCart("c", AsyncMemoryStore()).get()).exists
