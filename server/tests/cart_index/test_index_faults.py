"""The index after lives at random, with the engine killed: one sweep completes it."""

from __future__ import annotations

import contextlib
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore
from ecart.errors import EcartError
from ecart.stores.redis import index as index_module
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index import list_carts, survey, sweep
from ecart_server.redis_admin.connections import open_nodes
from faults.soak import TIMEOUT, rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine, Engines

KEYS = Keyspace(partitions=16)
pytestmark = pytest.mark.timeout(TIMEOUT)

ACTS: tuple[Callable[[Cart, str], Any], ...] = (
    lambda cart, other: cart.add("apple", unit_price="2"),
    lambda cart, other: cart.add("pear"),
    lambda cart, other: cart.remove("apple"),
    lambda cart, other: cart.destroy(),
    lambda cart, other: cart.purge(),
    lambda cart, other: cart.merge_from(other),
    lambda cart, other: cart.set_ttl(1),
)


def test_after_random_lives_and_kills_one_sweep_finds_all(
    engines: Engines, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Carts begin and end in all ways, by several at once; the engine is killed now and then."""
    monkeypatch.setattr(index_module, "EVERY", 0.05)
    engine = engines.acquire_own("valkey9", "--appendonly", "yes", "--appendfsync", "everysec")
    ids = [f"c-{n}" for n in range(60)]

    def live(seed: float, stop: threading.Event) -> None:
        own = random.Random(seed)
        store = RedisStore(engine.url, partitions=16, deadline=0.2)
        while not stop.is_set():
            cart = Cart(own.choice(ids), store)
            with contextlib.suppress(EcartError):
                own.choice(ACTS)(cart, own.choice(ids))
        store.close()

    for _ in range(rounds(3, 60)):
        stop = threading.Event()
        threads = [
            threading.Thread(target=live, args=(chance.random(), stop), daemon=True)
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for _ in range(2):
            threading.Event().wait(chance.uniform(0.1, 0.3))
            engine.kill()
            engine.start()
        stop.set()
        for thread in threads:
            thread.join()
        threading.Event().wait(1.1)  # what was to expire has

        _holds(engine)


def _holds(engine: Engine) -> None:
    nodes = open_nodes(engine.url)
    with engine.connected() as client:
        sweep(nodes, KEYS)
        page = list_carts(nodes, KEYS, limit=1000, with_empty=True)
        counted = survey(nodes, KEYS)

        expected = set()
        for key in client.scan_iter(match="ecart:*:cart:*"):
            state = client.hget(key, "s") or b""
            if not state.startswith((b"gone", b"merged")):
                expected.add(KEYS.cart_id(key.decode()))
        assert {cart.cart_id for cart in page.carts} == expected
        indexed = {m.decode() for n in range(16) for m in client.zrange(KEYS.index(n), 0, -1)}
        assert indexed == expected
        assert counted.carts + counted.empty == len(expected)
    for node in nodes:
        node.client.close()
