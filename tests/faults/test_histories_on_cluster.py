"""Recorded histories of one cart whose shard changes hands and whose slot moves meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from faults.soak import TIMEOUT, rounds
from faults.test_histories import Plan, recorded_by_threads
from topologies.ways import way_to_cluster

if TYPE_CHECKING:
    import random

    from topologies.cluster import Cluster

pytestmark = [
    pytest.mark.timeout(TIMEOUT),
    # redis-py forgets connections to nodes that changed their role (its pull request 4207).
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_cart_that_wanders(cluster: Cluster, chance: random.Random) -> None:
    """From node to node, by hand-overs without loss and by moved slots: one single cart."""
    opened = way_to_cluster(cluster, "url-sync", deadline=20).open()
    wandered = 0
    with ThreadPoolExecutor(9) as pool:
        for number in range(rounds(10, 300)):
            over = threading.Event()
            wandering = pool.submit(
                wander, cluster, opened.store.keys.cart(f"c-{number}"), chance, over
            )
            try:
                assert recorded_by_threads(pool, Plan(number, chance), opened.store) is None, number
            finally:
                over.set()
                wandered += wandering.result()
    opened.close()
    print(f"{wandered} moves")
    assert wandered >= rounds(10, 300) // 2


def wander(cluster: Cluster, key: str, chance: random.Random, over: threading.Event) -> int:
    """Moves a cart about until told to stop; how often."""
    slot, moves = cluster.slot(key), 0
    while not over.wait(0.01):
        owner = cluster.owner_of(slot)
        if chance.random() < 0.5:
            cluster.fail_over(owner)
            cluster.heal()
        else:
            target = next(node for node in cluster.primaries if node is not owner)
            with cluster.moving(slot, owner, target):
                cluster.move_keys(slot, owner, target)
        moves += 1
    return moves
