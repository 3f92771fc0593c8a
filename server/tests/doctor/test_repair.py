"""Repairs fix what is certain, lose nothing, and may meet writers."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from doctor.planting import KEY, KEYS, PLANTS, begin_merge, fill
from ecart import Cart, RedisStore
from ecart_server.doctor import KINDS, examine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine, Engines

REPAIRABLE = [
    name
    for name, (_, code, _, _) in PLANTS.items()
    if KINDS[code].is_repaired and name != "a merge that broke off"
]


@pytest.fixture
def store(any_engine: Engine) -> Iterator[RedisStore]:
    with closing(RedisStore(any_engine.url)) as opened:
        yield opened


def repaired(url: str) -> list[tuple[str, str]]:
    return [(one.code, one.at) for one in examine(url, KEYS, repair=True).repairs]


@pytest.mark.parametrize("name", REPAIRABLE)
def test_what_is_certain_is_repaired(any_engine: Engine, store: RedisStore, name: str) -> None:
    """Listed, sound afterwards (every key is checked when the test ends), and only once."""
    plant, code, at, _ = PLANTS[name]
    fill(store)
    before = Cart("c", store).get()
    with any_engine.connected() as client:
        plant(client, store)
        lines = {n: v for n, v in client.hgetall(KEY).items() if n[:1] == b":"}

        assert repaired(any_engine.url) == [(code, at)]

        after = client.hgetall(KEY)
        assert {n: v for n, v in after.items() if n[:1] == b":"} == lines
        assert repaired(any_engine.url) == []
        assert client.hgetall(KEY) == after
    after = Cart("c", store).get()
    assert after.version == before.version + 1
    assert after.digest != before.digest


def test_a_repaired_fault_is_no_problem(any_engine: Engine, store: RedisStore) -> None:
    """What was repaired is no problem any more."""
    fill(store)
    with any_engine.connected() as client:
        client.persist(KEY)

    first = examine(any_engine.url, KEYS, repair=True)

    (finding,) = (one for one in first.findings if one.code == "no_expiry")
    assert (finding.count, finding.repaired, finding.is_problem) == (1, 1, False)


def test_a_life_begins_again(any_engine: Engine, store: RedisStore) -> None:
    """A cart that lost its expiry long ago lives from now on, and is not deleted at once."""
    fill(store)
    with any_engine.connected() as client:
        client.persist(KEY)
        version, digest, _, *rest = client.hget(KEY, "v").decode().split("|")
        client.hset(KEY, "v", "|".join([version, digest, "1600000000000", *rest]))

        repaired(any_engine.url)

        assert 604_790 < client.ttl(KEY) <= 604_800
    assert Cart("c", store).get().total_quantity == 5


@pytest.mark.foreign_data
@pytest.mark.parametrize(
    "name", [name for name, plant in PLANTS.items() if not KINDS[plant[1]].is_repaired]
)
def test_nothing_else_is_touched(any_engine: Engine, store: RedisStore, name: str) -> None:
    """What is not certain is only reported."""
    fill(store)
    with any_engine.connected() as client:
        PLANTS[name][0](client, store)
        before = {key: client.dump(key) for key in client.keys("*")}

        assert repaired(any_engine.url) == []

        assert {key: client.dump(key) for key in client.keys("*")} == before


@pytest.mark.foreign_data
def test_counters_beside_an_unreadable_line_stay(any_engine: Engine, store: RedisStore) -> None:
    """Lines that cannot all be read cannot be counted."""
    fill(store)
    with any_engine.connected() as client:
        client.hset(KEY, mapping={"c": "9|9|9|9|9", ":apple": "many"})

        assert repaired(any_engine.url) == []
        assert client.hget(KEY, "c") == b"9|9|9|9|9"


def test_a_merge_that_broke_off_is_finished(any_engine: Engine, store: RedisStore) -> None:
    """Its lines arrive, once, whatever the limits; the target keeps its own time to live."""
    fill(store)
    Cart("target", store, ttl=3600).add("apple", 9_998, unit_price="10.5")
    with any_engine.connected() as client:
        begin_merge(store, client, minutes=61)

        assert repaired(any_engine.url) == [("stuck_merge", KEY)]
        assert repaired(any_engine.url) == []

        assert 3_500 < client.ttl(KEYS.cart("target")) <= 3_600
    target = Cart("target", store).get()
    assert {line.sku: line.quantity for line in target.lines} == {"apple": 10_001, "pear": 2}
    assert Cart("c", store).summary().state == "merged"


def test_a_merge_into_nothing_is_finished(any_engine: Engine, store: RedisStore) -> None:
    """The target is made, with the life of the source."""
    fill(store)
    with any_engine.connected() as client:
        begin_merge(store, client, minutes=61)

    assert repaired(any_engine.url) == [("stuck_merge", KEY)]

    assert Cart("target", store).get().total_quantity == 5


@pytest.mark.foreign_data
def test_a_merge_that_cannot_be_finished_stays(any_engine: Engine, store: RedisStore) -> None:
    """It is reported, not repaired, and nothing is lost."""
    fill(store)
    with any_engine.connected() as client:
        begin_merge(store, client, minutes=61)
        client.set(KEYS.cart("target"), "text")

        report = examine(any_engine.url, KEYS, repair=True)

        assert report.repairs == []
        assert client.hget(KEY, "s").startswith(b"merging")
        assert client.hlen(KEY) > 4


def test_a_full_memory_is_no_accident(engines: Engines) -> None:
    """A repair that grows is refused; the cart stays as it was, and the report says so."""
    engine = engines.acquire_own("valkey9")
    with closing(RedisStore(engine.url)) as store, engine.connected() as client:
        fill(store)
        client.persist(KEY)
        client.config_set("maxmemory", 1)

        report = examine(engine.url, KEYS, repair=True)

        assert report.repairs == []
        assert "no_expiry" in [one.code for one in report.findings if one.is_problem]
        client.config_set("maxmemory", 0)
        assert repaired(engine.url) == [("no_expiry", KEY)]


def test_repairing_while_carts_are_written(any_engine: Engine) -> None:
    """Every acknowledged unit is there afterwards, though counters and expiries break meanwhile."""
    carts, ended = [f"w-{n}" for n in range(8)], threading.Event()
    acknowledged = dict.fromkeys(carts, 0)

    def write(mine: list[str]) -> None:
        with closing(RedisStore(any_engine.url)) as store:
            while not ended.is_set():
                for cart_id in mine:
                    Cart(cart_id, store).add("apple", unit_price="0.3")
                    acknowledged[cart_id] += 1

    def spoil(client: Any) -> None:
        for cart_id in carts:
            if client.exists(KEYS.cart(cart_id)):
                client.persist(KEYS.cart(cart_id))
                client.hincrby(KEYS.cart("spoiled"), "n", 1)

    writers = [threading.Thread(target=write, args=(carts[n::2],)) for n in range(2)]
    for writer in writers:
        writer.start()
    done = 0
    with any_engine.connected() as client:
        for _ in range(30):
            spoil(client)
            client.delete(KEYS.cart("spoiled"))
            done += len(repaired(any_engine.url))
        ended.set()
        for writer in writers:
            writer.join()
        repaired(any_engine.url)

    with closing(RedisStore(any_engine.url)) as store:
        found = {cart_id: Cart(cart_id, store).get().total_quantity for cart_id in carts}
    assert found == acknowledged
    assert min(found.values()) > 0
    codes = [one.code for one in examine(any_engine.url, KEYS).findings]
    assert "no_expiry" not in codes
    assert "counters_differ" not in codes


def test_a_cart_that_changed_meanwhile_is_left(any_engine: Engine, store: RedisStore) -> None:
    """The script repairs the version that was read, and no other."""
    from ecart_server.doctor.repair import Repairer
    from ecart_server.doctor.scan import Unread, read_carts
    from ecart_server.redis_admin.connections import open_nodes

    fill(store)
    (node,) = open_nodes(any_engine.url)
    with closing(node.client), any_engine.connected() as client:
        client.persist(KEY)
        (seen,) = read_carts(node, [KEY.encode()])
        assert not isinstance(seen, Unread)
        Cart("c", store).add("apple")
        client.persist(KEY)

        assert Repairer([node], KEYS).repair(node, seen, {"no_expiry"}) == {}

        assert client.ttl(KEY) == -1
        client.delete(KEY)
