"""Walking through all carts: a sample, a cluster, flat memory, an engine that goes away."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from redis.crc import key_slot

from ecart import Cart, RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor import examine
from ecart_server.doctor.scan import Unread, read_carts
from ecart_server.redis_admin.connections import open_nodes
from engines import two_primaries
from faults.soak import IS_SOAK, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine, Engines

KEYS = Keyspace()
MANY = 200_000 if IS_SOAK else 20_000

pytestmark = pytest.mark.timeout(TIMEOUT)


def fill(client: Any, first: int, last: int) -> None:
    """Sound carts by the thousand: copies of one, each under its own key."""
    with closing(RedisStore(client)) as store:
        Cart(str(first), store).add("apple", 3, unit_price="0.5")
        made = Cart(str(first), store).add("pear", unit_price="1.25", options={"size": "M"}).summary
    assert made is not None
    # Their common end as a time: however long the copying takes, it is right for each.
    dumped, end = client.dump(KEYS.cart(str(first))), made.updated_ms + made.ttl_ms
    for begin in range(first + 1, last, 1000):
        with client.pipeline(transaction=False) as pipe:
            for number in range(begin, min(begin + 1000, last)):
                pipe.restore(KEYS.cart(str(number)), end, dumped, absttl=True)
            pipe.execute()


@pytest.mark.foreign_data
def test_memory_is_flat(engine: Engine) -> None:
    """Ten times the carts, sound or not, take no more memory."""
    with engine.connected() as client:
        fill(client, 0, MANY // 10)
        few = peak_of_examination(engine.url)
        fill(client, MANY // 10, MANY)
        for number in range(0, MANY, 10):
            client.persist(KEYS.cart(str(number)))
        many = peak_of_examination(engine.url)

    report = examine(engine.url, KEYS)

    assert report.carts.examined >= MANY
    (finding,) = (one for one in report.findings if one.code == "no_expiry")
    assert finding.count >= MANY // 10
    print(
        f"{report.carts.examined / report.carts.seconds:.0f} carts/s; peak {few} and {many} bytes"
    )
    assert many < 1.3 * few + 200_000


def peak_of_examination(url: str) -> int:
    tracemalloc.start()
    try:
        examine(url, KEYS)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_sample(engine: Engine) -> None:
    """About as many as were asked for, and the report says that there are more."""
    with engine.connected() as client:
        fill(client, 0, 3000)

    sampled, none, whole = (examine(engine.url, KEYS, sample=n) for n in (100, 0, None))

    assert 100 <= sampled.carts.examined < 300
    assert not sampled.carts.complete
    assert (none.carts.examined, none.carts.complete) == (0, False)
    assert (whole.carts.examined, whole.carts.complete) == (3000, True)


def test_progress_is_reported(engine: Engine) -> None:
    """It grows to the number of carts, and of indexes of them."""
    calls: list[tuple[int, int]] = []
    with engine.connected() as client:
        fill(client, 0, 2000)

    examine(engine.url, KEYS, progress=lambda done, total: calls.append((done, total)))

    assert calls[-1] == (2001, 2001)
    assert calls == sorted(calls)


def test_the_keys_of_the_service_are_known(engine: Engine) -> None:
    """The survey and the leases are names of ecart's, not unknown ones."""
    with engine.connected() as client:
        client.set(KEYS.survey, '{"carts": 0, "sizes": []}', ex=900)
        client.set(KEYS.survey_turn, "taken", ex=60)
        client.set(KEYS.sweep_turn, "taken", ex=60)

    report = examine(engine.url, KEYS)

    assert "unknown_name" not in {finding.code for finding in report.findings}


def test_an_engine_that_goes_away_meanwhile(engines: Engines) -> None:
    """What was found until then is reported, and that it was not all."""
    engine = engines.acquire_own("valkey9")
    with engine.connected() as client:
        fill(client, 0, 3000)

    report = examine(engine.url, KEYS, progress=lambda done, total: engine.kill())

    assert "engine_unreachable" in [one.code for one in report.findings]
    assert 0 < report.carts.examined < 3000
    assert not report.carts.complete


def slot_of(cart_id: str) -> int:
    return key_slot(KEYS.cart(cart_id).encode())


@pytest.fixture
def cluster() -> Iterator[list[Engine]]:
    """Two primaries that share the slots; the carts `c` and `target` are on different ones."""
    with two_primaries(max(map(slot_of, ("c", "target")))) as nodes:
        yield nodes


def test_every_primary_of_a_cluster(cluster: list[Engine]) -> None:
    """By any node of it; a merge across the two is finished."""
    from redis.cluster import RedisCluster

    from doctor.planting import begin_merge
    from doctor.planting import fill as fill_one

    with closing(RedisCluster.from_url(cluster[0].tcp_url)) as client:
        store = RedisStore(client)
        for number in range(40):
            Cart(number, store).add("apple")
        fill_one(store)
        begin_merge(store, client, minutes=61)
        client.persist(KEYS.cart("7"))

        for node in cluster:
            report = examine(node.tcp_url, KEYS)
            assert len(report.engines) == 2
            assert report.carts.examined == 41
            found = {one.code: one.count for one in report.findings if one.is_problem}
            assert (found["no_expiry"], found["stuck_merge"]) == (1, 1)
            assert "cluster_not_whole" not in found
        several = f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster[1].port}"
        assert examine(several, KEYS).carts.examined == 41
        report = examine(cluster[0].url, KEYS, repair=True)

        assert sorted(one.code for one in report.repairs) == ["no_expiry", "stuck_merge"]
        assert Cart("target", store).get().total_quantity == 5


def test_a_key_that_moved_meanwhile(cluster: list[Engine]) -> None:
    """Is reported as such; it is another node's now."""
    nodes = open_nodes(cluster[0].url)
    (other,) = (node for node in nodes if not node.owns(KEYS.cart("c")))

    (unread,) = read_carts(other, [KEYS.cart("c").encode()])

    assert isinstance(unread, Unread)
    assert unread.code == "moved_meanwhile"
    for node in nodes:
        node.client.close()


def test_a_cluster_of_one(engines: Engines) -> None:
    """It is asked through the client that is open."""
    node = engines.acquire_cluster()
    with closing(RedisStore(node.url)) as store:
        Cart("c", store).add("apple")

    report = examine(node.url, KEYS)

    assert (len(report.engines), report.carts.examined) == (1, 1)
    assert "cluster_not_whole" not in [one.code for one in report.findings]
