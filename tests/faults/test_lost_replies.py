"""One in twenty replies lost between client and engine: every unit is counted once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore
from proxy import lossy

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from engines import Engine

PROCESSES = 8
ADDS = 250


@pytest.mark.parametrize("client", ["redis-py's own retries", "a URL"])
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("skus", [1, 8])
def test_every_unit_is_counted_once(
    skus: int,
    mode: str,
    client: str,
    engine: Engine,
    start: Callable[..., subprocess.Popen[str]],
    finish: Callable[[Any], str],
) -> None:
    """8 processes × 250 adds, 64 at once, on one line or on eight: exactly 2,000 units."""
    with lossy(engine, drop=0.05, seed=skus) as proxy:
        target = proxy.url if client == "a URL" else proxy.port
        processes = [
            start("adding.py", mode, target, "c", f"sku-{number % skus}", ADDS)
            for number in range(PROCESSES)
        ]
        errors = [json.loads(finish(process)) for process in processes]

    assert errors == [[]] * PROCESSES
    # Tasks of one loop share a connection, and many a reply is lost at once.
    assert proxy.replies >= (PROCESSES * ADDS if mode == "sync" else PROCESSES * 20)
    assert proxy.dropped > proxy.replies * 0.01
    store = RedisStore(engine.url)
    snapshot = Cart("c", store).get()
    store.close()
    assert {line.sku: line.quantity for line in snapshot.lines} == {
        f"sku-{number}": PROCESSES * ADDS // skus for number in range(skus)
    }
    assert (snapshot.version, snapshot.total_quantity) == (2000, 2000)
    assert snapshot.subtotal == Decimal(20)


def test_many_replies_lost(engine: Engine) -> None:
    """Patience is a matter of the deadline, not of luck: each change is known again."""
    with lossy(engine, drop=0.2, seed=3) as proxy:
        store = RedisStore(proxy.url, deadline=30)
        changes = [Cart("c", store).add("apple") for _ in range(40)]
        store.close()

    assert [change.version for change in changes] == list(range(1, 41))
    assert any(change.replayed for change in changes)
    assert not all(change.replayed for change in changes)


def test_lost_replies_to_reads_are_not_noticed(engine: Engine) -> None:
    """Reading again is always safe."""
    with lossy(engine, drop=0.1, seed=4) as proxy:
        store = RedisStore(proxy.url, deadline=20)
        cart = Cart("c", store)
        cart.add("apple", unit_price="1.5")

        answers = {(cart.get().version, cart.summary().subtotal, cart.ttl()) for _ in range(30)}
        store.close()

    assert {answer[:2] for answer in answers} == {(1, Decimal("1.5"))}
