"""Many at once, and nothing goes wrong with the network: sums are exact, the cart is made once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ecart import AsyncCart, AsyncRedisStore, Cart, RedisStore

if TYPE_CHECKING:
    from engines import Engine


def test_threads(any_engine: Engine) -> None:
    """Sixteen threads, one handle: each add has a version of its own, one of them made the cart."""
    store = RedisStore(any_engine.url)
    cart = Cart("c", store)
    with ThreadPoolExecutor(16) as pool:
        changes = list(pool.map(lambda n: cart.add(f"sku-{n % 4}", unit_price="0.1"), range(400)))

    assert sorted(change.version for change in changes) == list(range(1, 401))
    assert len({change.summary.epoch for change in changes}) == 1
    assert {line.sku: line.quantity for line in cart.get().lines} == {
        f"sku-{n}": 100 for n in range(4)
    }
    assert cart.summary().subtotal == 40
    store.close()


async def test_tasks(any_engine: Engine) -> None:
    """Two hundred tasks at once."""
    store = AsyncRedisStore(any_engine.url)
    changes = await asyncio.gather(
        *(AsyncCart("c", store).add(f"sku-{n % 4}", unit_price="0.1") for n in range(200))
    )

    assert sorted(change.version for change in changes) == list(range(1, 201))
    snapshot = await AsyncCart("c", store).get()
    assert [line.quantity for line in snapshot.lines] == [50] * 4
    await store.close()


def test_one_of_many_wins(engine: Engine) -> None:
    """Sixteen callers have seen the same version: one changes it, fifteen are told."""
    from ecart.errors import VersionConflictError

    store = RedisStore(engine.url)
    Cart("c", store).add("apple")

    def attempt(number: int) -> int | None:
        try:
            return Cart("c", store).set_quantity("apple", number, expected_version=1).version
        except VersionConflictError:
            return None

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(attempt, range(1, 17)))

    assert sorted(map(str, results)) == ["2"] + ["None"] * 15
    store.close()


def test_one_operation_id_is_one_change(engine: Engine) -> None:
    """Sixteen callers repeat the same change at once: it happens once."""
    store = RedisStore(engine.url)
    with ThreadPoolExecutor(16) as pool:
        changes = list(
            pool.map(lambda _: Cart("c", store).add("apple", operation_id="x"), range(64))
        )

    assert [change.replayed for change in changes].count(False) == 1
    assert Cart("c", store).summary().total_quantity == 1
    store.close()
