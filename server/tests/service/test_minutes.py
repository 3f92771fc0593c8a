"""Counts per minute as the service keeps them: once, late if need be, and bounded."""

from __future__ import annotations

import asyncio
from array import array
from typing import TYPE_CHECKING, Any

from ecart import AsyncRedisStore
from ecart.http import HttpSettings
from ecart.operations import AddItem, GetCart
from ecart.stores.redis.keys import Keyspace
from ecart_server.observability.minute_writer import MinuteWriter
from ecart_server.observability.minutes import Counts, Minute, minute_now, recent_minutes
from ecart_server.observability.operations import (
    OPERATION_FAMILIES,
    ObservedStore,
    OperationCounters,
)
from ecart_server.observability.series import CellLayout
from ecart_server.redis_admin.connections import open_nodes
from service.observing import client_of, metrics_of, value
from serving import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    import requests

    from engines import Engine
    from serving import Service


def kept(url: str, count: int = 3) -> Counts:
    """What all minutes of late hold."""
    nodes = open_nodes(url)
    try:
        return summed(recent_minutes(nodes, Keyspace(), count))
    finally:
        for node in nodes:
            node.client.close()


def summed(minutes: list[Minute]) -> Counts:
    names = Counts.__struct_fields__
    return Counts(*(sum(getattr(one.counts, name) for one in minutes) for name in names))


def test_what_shoppers_did_is_counted(engine: Engine) -> None:
    """Each change once; when the worker ends, it is in the engine."""
    with client_of(
        engine.url, http=HttpSettings(office_keys=("an office key that is long",))
    ) as client:
        client.post("/cart/items", json={"sku": "apple", "quantity": 3})
        for _ in range(2):
            body = {"sku": "tea", "quantity": 2}
            client.post("/cart/items", json=body, headers={"Idempotency-Key": "k"})
        client.post("/cart/items", json={"sku": "bread"}, headers={"If-Match": '"x.1.y"'})
        client.post("/cart/items", json={"sku": "banana"})
        client.patch("/cart/items/banana", json={"quantity": 4})
        client.patch("/cart/items/banana", json={"quantity": 0})
        client.delete("/cart/items/tea")
        client.delete("/cart/items/tea")
        begun = client.post("/cart/checkout").json()
        cart = f"/carts/{begun['cart']['cart_id']}/checkout/{begun['checkout_id']}/complete"
        for _ in range(2):
            key = {"Authorization": "Bearer an office key that is long"}
            client.post(cart, json={"order_id": "o-1"}, headers=key)

    assert kept(engine.url) == Counts(
        units_added=6,
        removals=2,
        carts_begun=1,
        checkouts_begun=1,
        checkouts_completed=1,
        conflicts=1,
    )


def test_workers_do_not_overwrite_each_other(engine: Engine) -> None:
    """Two at once, and one after the other."""
    with client_of(engine.url) as one, client_of(engine.url) as other:
        one.post("/cart/items", json={"sku": "apple"})
        other.post("/cart/items", json={"sku": "apple", "quantity": 2})
    with client_of(engine.url) as later:
        later.post("/cart/items", json={"sku": "apple", "quantity": 4})

    assert kept(engine.url).units_added == 7


def test_they_are_written_while_the_service_runs(
    serve: Callable[..., Service], visitor: requests.Session, engine: Engine
) -> None:
    """Within seconds; a worker that is killed then has lost nothing of it."""
    service = serve("--redis-url", engine.url).ready()
    visitor.post(f"{service.address}/cart/items", json={"sku": "apple", "quantity": 5})

    eventually(lambda: kept(engine.url).units_added == 5, 10)
    service.kill()

    assert kept(engine.url).carts_begun == 1


def counting(url: str, steps: Callable[[AsyncRedisStore, MinuteWriter, Any], Any]) -> None:
    """Runs steps with a store, its counts, and the same store observed for them."""

    async def run() -> None:
        store = AsyncRedisStore(url, deadline=0.2)
        layout = CellLayout(OPERATION_FAMILIES)
        counters = OperationCounters(layout, array("d", bytes(8 * layout.size)))
        minutes = MinuteWriter(counters.counts, lambda: clock[0])
        await steps(store, minutes, ObservedStore(store, counters))
        await store.close()

    clock[0] = minute_now()
    asyncio.run(run())


clock = [0]


def test_an_engine_that_is_away_gets_them_later(own_engine: Engine) -> None:
    """Once, however often it was tried; what was counted meanwhile is not lost."""

    async def steps(store: AsyncRedisStore, minutes: MinuteWriter, observed: Any) -> None:
        await observed.execute("c", AddItem(sku="apple"))
        own_engine.kill()
        await minutes.write(store)
        await minutes.write(store)
        own_engine.start()
        clock[0] += 1
        minutes.collect()
        await observed.execute("c", AddItem(sku="apple", quantity=2))
        await minutes.write(store)
        await minutes.write(store)
        clock[0] -= 1

    counting(own_engine.url, steps)

    assert kept(own_engine.url).units_added == 1
    with own_engine.connected() as client:
        assert len(client.keys("ecart:minutes:*")) == 2


def test_what_waits_is_bounded(own_engine: Engine) -> None:
    """As long as it would be kept: two hours of minutes."""

    async def steps(store: AsyncRedisStore, minutes: MinuteWriter, observed: Any) -> None:
        for _ in range(200):
            await observed.execute("c", AddItem(sku="apple"))
            clock[0] += 1
            minutes.collect()
        own_engine.kill()
        await minutes.write(store)
        assert len(minutes._counts) == 120

    counting(own_engine.url, steps)


def test_a_minute_has_what_was_counted_in_it(engine: Engine) -> None:
    """Not what was counted before, by this worker or by the one whose numbers it continues."""
    counted, minute = [Counts(units_added=40, conflicts=2)], [100]
    minutes = MinuteWriter(lambda: counted[0], lambda: minute[0])

    for units, now in ((41, 100), (44, 101), (44, 101), (49, 103)):
        counted[0], minute[0] = Counts(units_added=units, conflicts=2), now
        minutes.collect()

    assert minutes._counts == {100: Counts(units_added=4), 101: Counts(units_added=5)}


def test_minutes_and_metrics_agree(engine: Engine) -> None:
    """Both are of the same counters."""
    with client_of(engine.url) as client:
        for _ in range(2):
            body = {"sku": "tea", "quantity": 5}
            client.post("/cart/items", json=body, headers={"Idempotency-Key": "k"})
        client.post("/cart/items", json={"sku": "bread"})
        client.post("/cart/items", json={"sku": "bread"}, headers={"If-Match": '"x.1.y"'})
        client.patch("/cart/items/tea", json={"quantity": 0})
        client.delete("/cart")
        client.delete("/cart")
        client.post("/cart/items", json={"sku": "bread"})
        client.post("/cart/checkout")
        samples = metrics_of(client)

    counts = kept(engine.url)
    begun = {"operation": "BeginCheckout", "outcome": "ok"}
    assert counts == Counts(
        units_added=7, removals=3, carts_begun=1, checkouts_begun=1, conflicts=1
    )
    assert value(samples, "ecart_units_added_total") == counts.units_added
    assert value(samples, "ecart_removals_total") == counts.removals
    assert value(samples, "ecart_carts_begun_total") == counts.carts_begun
    assert value(samples, "ecart_conflicts_total") == counts.conflicts
    assert value(samples, "ecart_operation_seconds_count", **begun) == counts.checkouts_begun


def test_nothing_new_is_nothing_written(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without shoppers does not talk to the engine, nor do readers count."""
    written = []

    async def steps(store: AsyncRedisStore, minutes: MinuteWriter, observed: Any) -> None:
        ask = store.send
        monkeypatch.setattr(store, "send", lambda *sent: written.append(sent) or ask(*sent))
        await observed.execute("c", GetCart())
        await minutes.write(store)
        assert written == []
        await observed.execute("c", AddItem(sku="apple"))
        for _ in range(3):
            await minutes.write(store)

    counting(engine.url, steps)

    assert len(written) == 1
