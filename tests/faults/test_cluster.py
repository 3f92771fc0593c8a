"""Carts on a real cluster whose nodes die, hang, hand over and give slots away, under load."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart.stores.redis.keys import Keyspace
from faults.soak import TIMEOUT, rounds
from topologies.cluster import NODE_TIMEOUT, Cluster, Node
from topologies.life import whole_life
from topologies.load import Load, Verdict, judge
from topologies.ways import BY_URL, WAYS, way_to_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(TIMEOUT),
    # redis-py forgets connections to nodes that changed their role (its pull request 4207).
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CARTS = [f"cart-{number}" for number in range(12)]
KEYS = Keyspace()
PATIENT = 20.0
"""The stores' deadline in seconds: longer than any fail-over here."""
SHARE = 1.0
"""Seconds after the cluster serves again, within which every caller has noticed."""


def verdict(cluster: Cluster, load: Load) -> Verdict:
    """What is stored, read by a client that was not there."""
    opened = way_to_cluster(cluster, "url-sync").open()
    found = judge(load, opened.store)
    opened.close()
    return found


def until_it_serves(replica: Node) -> float:
    """When the replica of what failed has taken over and serves."""
    while not replica.is_primary or replica.ask("CLUSTER INFO")["cluster_state"] != "ok":
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.parametrize("name", WAYS)
def test_the_whole_life(name: str, cluster: Cluster, runner: asyncio.Runner) -> None:
    """Every method, on carts of different nodes, through clients as users make them."""
    whole_life(way_to_cluster(cluster, name), runner)


@pytest.mark.parametrize(
    ("name", "durability"),
    [*((name, "primary") for name in WAYS), *((name, "replicated") for name in BY_URL)],
)
def test_a_killed_primary(name: str, durability: str, cluster: Cluster) -> None:
    """kill -9 under load: no caller is told of it, and each waits no longer than it must.

    What a replica has confirmed is stored. The rest may be lost, always from the end.
    """
    load = Load(CARTS)
    primary = cluster.owner(KEYS.cart(CARTS[0]))
    replica = cluster.replica_of(primary)
    way = way_to_cluster(cluster, name, deadline=PATIENT, durability=durability)
    with load.running(way):
        load.wait_for(300)
        primary.engine.kill()
        killed = time.monotonic()
        took_over = until_it_serves(replica) - killed
        cluster.start_again()
        load.wait_for(1000)

    found = verdict(cluster, load)
    print(
        f"{name}, {durability}: stall {load.longest_stall:.2f} s, the cluster's {took_over:.2f} s,"
        f" lost {len(found.lost)} of {found.acknowledged}"
    )
    assert load.errors == []
    assert found.wrong == []
    assert durability == "primary" or found.lost == []
    assert load.longest_stall > 1  # it was noticed
    if durability == "primary":
        assert load.longest_stall < max(NODE_TIMEOUT + 2, took_over + SHARE)


@pytest.mark.parametrize("name", ["url-sync", "client-async"])
def test_a_hung_primary(name: str, cluster: Cluster) -> None:
    """SIGSTOP under load: late replies count as lost; whoever wakes up becomes a replica."""
    load = Load(CARTS)
    primary = cluster.owner(KEYS.cart(CARTS[0]))
    replica = cluster.replica_of(primary)
    with load.running(way_to_cluster(cluster, name, deadline=PATIENT)):
        load.wait_for(300)
        with primary.engine.frozen():
            until_it_serves(replica)
            load.wait_for(500)
        load.wait_for(500)

    found = verdict(cluster, load)
    print(f"{name}: stall {load.longest_stall:.2f} s, lost {len(found.lost)}")
    assert load.errors == []
    assert found.wrong == []


@pytest.mark.parametrize("name", WAYS)
def test_hand_overs(name: str, cluster: Cluster) -> None:
    """Replicas take over when told to, again and again, under load: nothing is lost."""
    load = Load(CARTS)
    with load.running(way_to_cluster(cluster, name, deadline=PATIENT)):
        for _ in range(rounds(3, 100)):
            for primary in cluster.primaries:
                load.wait_for(50)
                cluster.fail_over(primary)
            cluster.heal()

    found = verdict(cluster, load)
    assert load.errors == []
    assert (found.wrong, found.lost) == ([], [])


@pytest.mark.parametrize("name", WAYS)
def test_slots_on_the_move(name: str, cluster: Cluster) -> None:
    """Carts move from node to node and new ones begin meanwhile: no error, every count exact."""
    load = Load(CARTS)
    slots = [cluster.slot(KEYS.cart(cart_id)) for cart_id in CARTS]
    with load.running(way_to_cluster(cluster, name, deadline=PATIENT)):
        for number in range(rounds(8, 400)):
            slot = slots[number % 4]
            source = cluster.owner_of(slot)
            target = next(node for node in cluster.primaries if node is not source)
            with cluster.moving(slot, source, target):
                load.wait_for(30)
                cluster.move_keys(slot, source, target)
                load.wait_for(30)

    found = verdict(cluster, load)
    print(f"{name}: stall {load.longest_stall:.2f} s of {found.acknowledged}")
    assert load.errors == []
    assert (found.wrong, found.lost) == ([], [])
    assert len(cluster.keys()) == len(CARTS)


@pytest.fixture
def small_cluster() -> Iterator[Cluster]:
    """One shard, of this test's own, to which nodes may be added."""
    cluster = Cluster(shards=1)
    yield cluster
    cluster.stop()


def test_slots_for_a_new_node(small_cluster: Cluster) -> None:
    """A node joins, is given slots and gives them back: clients that never heard of it go on.

    Until the first slot is wholly its own, redis-py cannot go there (its issue 4015) and repeats.
    """
    cluster = small_cluster
    old, new = cluster.nodes[0], cluster.grow()
    slots = {cluster.slot(KEYS.cart(cart_id)) for cart_id in CARTS[:4]}
    for name in WAYS:
        load = Load([f"{cart_id}-{name}" for cart_id in CARTS] + CARTS[:4])
        with load.running(way_to_cluster(cluster, name, deadline=PATIENT)):
            for source, target in ((old, new), (new, old)):
                for slot in slots:
                    with cluster.moving(slot, source, target):
                        cluster.move_keys(slot, source, target)
                        time.sleep(0.05)
                    load.wait_for(30)

        found = verdict(cluster, load)
        print(f"{name}: stall {load.longest_stall:.2f} s of {found.acknowledged}")
        assert load.errors == []
        assert (found.wrong, found.lost) == ([], [])
        cluster.empty()


@pytest.mark.parametrize("name", BY_URL)
def test_scripts_flushed_everywhere(name: str, cluster: Cluster) -> None:
    """Every node forgets its scripts 20 times a second: nobody notices."""
    load = Load(CARTS)
    with load.running(way_to_cluster(cluster, name, deadline=PATIENT)):
        for _ in range(rounds(30, 400)):
            for node in cluster.nodes:
                node.ask("SCRIPT FLUSH")
            time.sleep(0.05)

    found = verdict(cluster, load)
    assert load.errors == []
    assert (found.wrong, found.lost) == ([], [])
    assert all(node.calls("eval") > 1 for node in cluster.primaries)


@pytest.mark.parametrize("name", BY_URL)
def test_a_replica_that_never_saw_the_script(
    name: str, cluster: Cluster, runner: asyncio.Runner
) -> None:
    """It takes over and is brought the script with the next change."""
    opened = way_to_cluster(cluster, name).open()
    cart: Any = opened.cart("cart-0", runner)
    cart.add("apple")
    primary = cluster.owner(KEYS.cart("cart-0"))
    replica = cluster.replica_of(primary)
    replica.ask("SCRIPT FLUSH")
    calls = replica.calls("eval")

    cluster.fail_over(primary)

    assert cart.add("apple").summary.total_quantity == 2
    assert replica.calls("eval") == calls + 1
    opened.end(runner)
