"""Carts behind Sentinels: the primary dies, hangs, hands over, or is cut off with a client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ecart import Cart, OutcomeUnknownError, RedisStore
from faults.soak import TIMEOUT
from topologies.life import whole_life
from topologies.load import Load, Opened, Verdict, Way, judge
from topologies.sentinels import DOWN_AFTER, Sentinels
from topologies.ways import BY_URL, WAYS, way_to_sentinels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topologies.sentinels import Member

pytestmark = [
    pytest.mark.timeout(TIMEOUT),
    # redis-py forgets connections that broke while it asked a Sentinel.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CARTS = [f"cart-{number}" for number in range(12)]
PATIENT = 20.0
"""The stores' deadline in seconds: longer than any fail-over here."""
PARTITION = 9.0
"""Seconds."""
SHARE = 1.0
"""Seconds after there is a new primary, within which every caller has found it."""


def verdict(sentinels: Sentinels, *loads: Load) -> list[Verdict]:
    """What is stored, read by a client that was not there."""
    opened = way_to_sentinels(sentinels, "url-sync").open()
    found = [judge(load, opened.store) for load in loads]
    opened.close()
    return found


def until_replaced(sentinels: Sentinels, primary: Member) -> float:
    """When the Sentinels name another one, and it serves as such."""
    while sentinels.primary is primary or sentinels.primary.ask("ROLE")[0] != "master":
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.parametrize("name", WAYS)
def test_the_whole_life(name: str, sentinels: Sentinels, runner: asyncio.Runner) -> None:
    """Every method, through clients as users make them."""
    whole_life(way_to_sentinels(sentinels, name), runner)


@pytest.mark.parametrize("durability", ["primary", "replicated"])
@pytest.mark.parametrize("name", BY_URL)
def test_a_killed_primary(name: str, durability: str, sentinels: Sentinels) -> None:
    """kill -9 under load: no caller is told of it, and each waits no longer than it must.

    What a replica has confirmed is stored. The rest may be lost, always from the end.
    """
    load = Load(CARTS)
    primary = sentinels.primary
    way = way_to_sentinels(sentinels, name, deadline=PATIENT, durability=durability)
    with load.running(way):
        load.wait_for(300)
        primary.engine.kill()
        killed = time.monotonic()
        took_over = until_replaced(sentinels, primary) - killed
        load.wait_for(1000)

    sentinels.heal()
    sentinels.settle()
    (found,) = verdict(sentinels, load)
    print(
        f"{name}, {durability}: stall {load.longest_stall:.2f} s, the Sentinels' {took_over:.2f} s,"
        f" lost {len(found.lost)} of {found.acknowledged}"
    )
    assert load.errors == []
    assert found.wrong == []
    assert durability == "primary" or found.lost == []
    assert load.longest_stall > DOWN_AFTER  # it was noticed
    if durability == "primary":
        assert load.longest_stall < took_over + SHARE


@pytest.mark.parametrize("name", ["url-sync", "client-async"])
def test_a_hung_primary(name: str, sentinels: Sentinels) -> None:
    """SIGSTOP under load; when it wakes up it follows, and what it alone had taken is gone."""
    load = Load(CARTS)
    primary = sentinels.primary
    with load.running(way_to_sentinels(sentinels, name, deadline=PATIENT)):
        load.wait_for(300)
        with primary.engine.frozen():
            until_replaced(sentinels, primary)
            load.wait_for(500)
        load.wait_for(500)

    sentinels.heal()
    sentinels.settle()
    (found,) = verdict(sentinels, load)
    print(f"{name}: stall {load.longest_stall:.2f} s, lost {len(found.lost)}")
    assert load.errors == []
    assert found.wrong == []


def test_a_late_reply_is_nobodys(sentinels: Sentinels) -> None:
    """A reply that came too late is not read by the next caller of that connection.

    redis-py's connections to what Sentinel watches stay open when a reply does not come in time.
    """
    places = [("127.0.0.1", sentinel.port) for sentinel in sentinels.sentinels]
    client = redis.Sentinel(places, socket_timeout=0.3).master_for(
        "carts", retry=Retry(NoBackoff(), 0)
    )
    cart = Cart("c", RedisStore(client, deadline=0))
    cart.add("apple")
    with ThreadPoolExecutor(1) as pool, sentinels.primary.engine.frozen():
        with pytest.raises(OutcomeUnknownError):
            cart.add("late")
        plum = pool.submit(cart.add, "plum", quantity=7)
        time.sleep(0.05)
        os.kill(sentinels.primary.engine.pid, signal.SIGCONT)
        line = plum.result().line

    assert line is not None
    assert (line.sku, line.quantity) == ("plum", 7)
    client.close()


@pytest.fixture
def with_doors() -> Iterator[Sentinels]:
    """Servers of this test's own, each behind a proxy that can be stopped."""
    sentinels = Sentinels(doors=True)
    yield sentinels
    assert sentinels.violations() == []
    sentinels.stop()


def inside(member: Member, **options: Any) -> Way:
    """The way of a client that is cut off together with a server."""

    def open_it() -> Opened:
        client = redis.Redis(port=member.engine.port, socket_timeout=2)
        return Opened(RedisStore(client, **options), client.close)

    return Way("inside", False, open_it)


@pytest.mark.parametrize("durability", ["primary", "replicated"])
def test_a_partition(durability: str, with_doors: Sentinels) -> None:
    """Nine seconds of two primaries, each with its clients. The one that is alone is given up.

    By default, all that it acknowledged meanwhile is gone, from the end of each cart. Where a
    replica must confirm, it acknowledges nothing, and its clients know that they do not know.
    """
    sentinels = with_doors
    here, there = Load([f"here-{n}" for n in range(6)]), Load([f"there-{n}" for n in range(6)])
    primary = sentinels.primary
    cut_off = inside(primary, deadline=3, durability=durability)
    outside = way_to_sentinels(sentinels, "url-sync", deadline=PATIENT, durability=durability)
    with there.running(outside), contextlib.ExitStack() as cut:
        with here.running(cut_off):
            here.wait_for(100)
            there.wait_for(100)
            cut.enter_context(sentinels.cut_off(primary))
            began = time.monotonic()
            until_replaced(sentinels, primary)
            there.wait_for(100)
            time.sleep(max(0, began + PARTITION - time.monotonic()))
        cut.close()
        sentinels.heal()
        sentinels.settle()

    in_here, out_there = verdict(sentinels, here, there)
    print(
        f"{durability}: lost {len(in_here.lost)} of {in_here.acknowledged} inside,"
        f" {len(out_there.lost)} of {out_there.acknowledged} outside"
    )
    assert there.errors == []
    assert in_here.wrong == out_there.wrong == []
    if durability == "primary":
        assert len(in_here.lost) > 100
        assert here.errors == []
    else:
        assert (in_here.lost, out_there.lost) == ([], [])
        assert {type(error) for error in here.errors} == {OutcomeUnknownError}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("name", BY_URL)
def test_hand_overs(name: str, replicas: int, sentinels: Sentinels) -> None:
    """SENTINEL FAILOVER under load, to a replica that never saw the scripts and forgets them.

    The old primary takes changes until it is told to follow, and the other replica confirms them.
    So only what both replicas have confirmed is certain to be stored.
    """
    load = Load(CARTS)
    primary = sentinels.primary
    careful = {"durability": "replicated", "replicas": replicas}
    with load.running(way_to_sentinels(sentinels, name, deadline=PATIENT, **careful)):
        load.wait_for(100)
        sentinels.forget_scripts()
        sentinels.fail_over()
        until_replaced(sentinels, primary)
        for _ in range(10):
            sentinels.forget_scripts()
            time.sleep(0.05)
        sentinels.heal()
        load.wait_for(100)

    sentinels.settle()
    (found,) = verdict(sentinels, load)
    print(
        f"{name}, {replicas} replicas: stall {load.longest_stall:.2f} s,"
        f" lost {len(found.lost)} of {found.acknowledged}"
    )
    assert load.errors == []
    assert found.wrong == []
    assert replicas == 1 or found.lost == []
