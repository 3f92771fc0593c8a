"""Merges between carts of different nodes that crash while a shard changes hands."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart
from ecart.store import run, steps_on
from engines import eventually
from faults.soak import TIMEOUT, rounds
from faults.stepping import Point, crash, points
from faults.test_merge_crashes import STEPS, adding, fill, finish, merging, states, units
from topologies.ways import way_to_cluster

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from ecart.store import Store
    from topologies.cluster import Cluster

pytestmark = [
    pytest.mark.timeout(TIMEOUT),
    # redis-py forgets connections to nodes that changed their role (its pull request 4207).
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def store(cluster: Cluster) -> Iterator[Any]:
    """The cluster, through a client that repeats nothing by itself."""
    opened = way_to_cluster(cluster, "url-sync", deadline=20).open()
    yield opened.store
    opened.close()


def two_apart(store: Any, cluster: Cluster, number: int) -> tuple[str, str]:
    """The ids of two carts that live on different nodes."""
    guest = f"guest-{number}"
    home = cluster.owner(store.keys.cart(guest))
    others = (f"user-{number}-{more}" for more in range(1000))
    return guest, next(u for u in others if cluster.owner(store.keys.cart(u)) is not home)


def nothing() -> None:
    """Happens before a step."""


class Disturbed:
    """Does the steps of a flow; before one of them, something happens to the cluster."""

    def __init__(self, store: Store, at: int, disturb: Callable[[], None]) -> None:
        self._do = steps_on(store)
        self._left = at
        self._disturb = disturb

    def __call__(self, step: Any) -> Any:
        if self._left == 0:
            self._disturb()
        self._left -= 1
        return self._do(step)


def crash_and_resume(
    store: Any, guest: str, user: str, point: Point, disturbed: list[Disturbed]
) -> tuple[Counter[str], list[BaseException]]:
    """A merge crashes; two go on with it while others add to both carts. What should be there."""
    whole = fill(store, guest, user)
    added = [Counter[str](), Counter[str]()]
    adds = [adding(guest, "apple", 4, added[0]), adding(user, "apple", 4, added[1])]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(run, flow, steps_on(store)) for flow in adds]
        crash(merging(guest, user), disturbed[0], point)
        running += [pool.submit(run, merging(guest, user), do) for do in disturbed[1:]]
    return whole + added[0] + added[1], [e for one in running if (e := one.exception())]


def check(store: Any, guest: str, user: str, whole: Counter[str]) -> None:
    finish(store, guest, user)
    assert units(store, user) == whole
    assert states(store, guest, user) == ["merged", "open"]
    before = Cart(user, store).get()
    finish(store, guest, user)
    assert Cart(user, store).get() == before


def test_shards_change_hands_between_the_steps(
    store: Any, cluster: Cluster, chance: random.Random
) -> None:
    """Crashed anywhere, resumed twice, a hand-over at any step: every item is there, once."""
    handed_over = 0

    def hand_over() -> None:
        nonlocal handed_over
        cluster.fail_over(cluster.owner(store.keys.cart(chance.choice(both))))
        handed_over += 1

    for number in range(rounds(40, 1000)):
        both = guest, user = two_apart(store, cluster, number)
        point = chance.choice(points(len(STEPS)))
        disturbed = [
            Disturbed(store, chance.randrange(4), what)
            for what in chance.sample([hand_over, nothing, nothing], 3)
        ]
        whole, errors = crash_and_resume(store, guest, user, point, disturbed)

        assert errors == [], (number, str(point))
        check(store, guest, user, whole)
        cluster.heal()
    print(f"{handed_over} hand-overs")
    assert handed_over > rounds(40, 1000) / 2


def test_primaries_die_between_the_steps(cluster: Cluster, chance: random.Random) -> None:
    """The same with kill -9, where a replica confirms each step."""
    opened = way_to_cluster(cluster, "url-sync", deadline=30, durability="replicated").open()
    store = opened.store

    def die() -> None:
        primary = cluster.owner(store.keys.cart(chance.choice(both)))
        replica = cluster.replica_of(primary)
        primary.engine.kill()
        assert eventually(lambda: replica.is_primary, 20)
        cluster.start_again()

    for number in range(rounds(2, 100)):
        both = guest, user = two_apart(store, cluster, number)
        point = Point(chance.randrange(1, len(STEPS)), chance.choice([False, True]))
        dies = Disturbed(store, chance.randrange(point.step), die)
        disturbed = [dies, *(Disturbed(store, 0, nothing) for _ in range(2))]
        whole, errors = crash_and_resume(store, guest, user, point, disturbed)

        assert errors == [], (number, str(point))
        check(store, guest, user, whole)
        cluster.heal()
    opened.close()
