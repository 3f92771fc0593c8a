"""All carts counted, exactly or by a random sample; and the sweep that completes the index."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ecart import Cart, RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index import survey, sweep
from ecart_server.redis_admin.connections import Node

KEYS = Keyspace(partitions=16)


def members(client: Any, keys: Keyspace = KEYS) -> set[str]:
    return {m.decode() for n in range(keys.partitions) for m in client.zrange(keys.index(n), 0, -1)}


def test_all_carts_are_counted(client: Any, nodes: list[Node]) -> None:
    """How many, how much, how spread."""
    store = RedisStore(client, partitions=16)
    for n in range(1, 31):
        cart = Cart(f"c-{n}", store)
        for line in range(1 + n % 3):
            cart.add(f"sku-{line}", n, unit_price=f"{n}.25")
    Cart("c-30", store).destroy()
    Cart("empty", store).add("apple")
    Cart("empty", store).clear()
    Cart("c-1", store).begin_checkout()
    Cart("c-7", store).set_ttl(3600)
    client.hset(KEYS.cart("c-2"), "c", "damaged")

    found = survey(nodes, KEYS)

    counted = [n for n in range(1, 30) if n != 2]
    assert (found.carts, found.empty, found.damaged, found.forgotten) == (28, 1, 1, 1)
    assert found.units == sum(n * (1 + n % 3) for n in counted)
    total = sum((Decimal(f"{n}.25") * n * (1 + n % 3) for n in counted), Decimal(0))
    assert {code: Decimal(text) for code, text in found.subtotals.items()} == {"USD": total}
    assert found.states == {"locked": 1, "open": 28}
    assert [(b.at_least, b.carts) for b in found.sizes[:4]] == [(1, 9), (2, 10), (3, 9), (5, 0)]
    assert sum(b.carts for b in found.values) == sum(b.carts for b in found.ages) == 28
    assert [cart.cart_id for cart in found.largest[:3]] == ["c-29", "c-26", "c-23"]
    assert found.expiring[0].cart_id == "c-7"
    idle = [cart.updated_ms for cart in found.idlest]
    assert idle == sorted(idle)
    assert {"c-3", "c-4"} <= {cart.cart_id for cart in found.idlest}
    assert "c-1" not in {cart.cart_id for cart in found.idlest}
    assert (found.surveyed, found.partitions, found.is_sample) == (16, 16, False)
    assert "c-30" not in members(client)
    client.delete(KEYS.cart("c-2"))


def test_too_many_are_sampled(client: Any, nodes: list[Node]) -> None:
    """Whole partitions, so that the numbers are true of them; and it says so."""
    store = RedisStore(client, partitions=16)
    for n in range(200):
        Cart(f"c-{n}", store).add("apple", unit_price="1")

    found = survey(nodes, KEYS, max_carts=50)

    assert found.is_sample
    assert 50 <= found.carts < 100
    assert found.indexed == 200


def test_a_sweep_adds_missing_entries(client: Any, nodes: list[Node]) -> None:
    """And removes dead ones; the second sweep has nothing to do."""
    unindexed, indexed = (RedisStore(client, partitions=16, index=on) for on in (False, True))
    for n in range(50):
        Cart(f"un-{n}", unindexed).add("apple")
        Cart(f"no-{n}", indexed).add("apple")
    for n in range(0, 50, 2):
        client.delete(KEYS.cart(f"no-{n}"))

    index = KEYS.index(KEYS.partition("no-1"))

    first = sweep(nodes, KEYS)
    client.persist(index)
    second = sweep(nodes, KEYS)

    assert (first.carts, first.added, first.forgotten) == (75, 50, 25)
    assert (second.carts, second.added, second.forgotten) == (75, 0, 0)
    assert client.ttl(index) > 365 * 86_400
    assert members(client) == {f"un-{n}" for n in range(50)} | {f"no-{n}" for n in range(1, 50, 2)}
