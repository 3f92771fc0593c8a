"""Counts per minute as the service keeps them: once, late if need be, and bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ecart import AsyncRedisStore
from ecart.http import HttpSettings
from ecart.operations import AddItem, GetCart
from ecart.stores.redis.keys import Keyspace
from ecart_server.observability.minutes import MinuteCounts
from ecart_server.observability.operations import ObservedStore
from ecart_server.redis_admin.connections import open_nodes
from ecart_server.redis_admin.minutes import Counts, Minute, minute_now, recent_minutes
from service.observing import client_of
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


def counting(url: str, steps: Callable[[AsyncRedisStore, MinuteCounts, Any], Any]) -> None:
    """Runs steps with a store, its counts, and the same store observed by them."""

    async def run() -> None:
        store, minutes = AsyncRedisStore(url, deadline=0.2), MinuteCounts(lambda: clock[0])
        await steps(store, minutes, ObservedStore(store, [minutes]))
        await store.close()

    clock[0] = minute_now()
    asyncio.run(run())


clock = [0]


def test_an_engine_that_is_away_gets_them_later(own_engine: Engine) -> None:
    """Once, however often it was tried; what was counted meanwhile is not lost."""

    async def steps(store: AsyncRedisStore, minutes: MinuteCounts, observed: Any) -> None:
        await observed.execute("c", AddItem(sku="apple"))
        own_engine.kill()
        await minutes.write(store)
        await minutes.write(store)
        own_engine.start()
        clock[0] += 1
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

    async def steps(store: AsyncRedisStore, minutes: MinuteCounts, observed: Any) -> None:
        for _ in range(200):
            minutes.done(AddItem(sku="apple"), Done(), 0.0)
            clock[0] += 1
        own_engine.kill()
        await minutes.write(store)
        assert len(minutes._counts) == 120

    counting(own_engine.url, steps)


class Done:
    """A change that took effect."""

    replayed, version = False, 2


def test_nothing_new_is_nothing_written(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without shoppers does not talk to the engine, nor do readers count."""
    written = []

    async def steps(store: AsyncRedisStore, minutes: MinuteCounts, observed: Any) -> None:
        ask = store.ask
        monkeypatch.setattr(store, "ask", lambda *sent: written.append(sent) or ask(*sent))
        await observed.execute("c", GetCart())
        await minutes.write(store)
        assert written == []
        await observed.execute("c", AddItem(sku="apple"))
        for _ in range(3):
            await minutes.write(store)

    counting(engine.url, steps)

    assert len(written) == 1
