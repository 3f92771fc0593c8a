"""What a change waits for before it counts as done: the primary, replicas, the disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart import (
    AsyncCart,
    AsyncRedisStore,
    Cart,
    OutcomeUnknownError,
    RedisStore,
    StoreUnavailableError,
)
from ecart.errors import LineNotFoundError
from ecart.stores.redis.keys import Keyspace
from waiting import Waiting

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines

DEADLINE = 0.4
PATIENT = 20.0
MARGIN = 2.0
"""For a machine that is busy with other tests."""


@pytest.fixture(params=["valkey9", "redis6"])
def pair(request: pytest.FixtureRequest, engines: Engines) -> tuple[Engine, Engine]:
    """A primary and its replica, in step."""
    primary = engines.acquire_own(request.param, "--repl-diskless-sync-delay", "0", tcp=True)
    replica = engines.acquire_own(
        request.param, "--replicaof", "127.0.0.1", str(primary.port)
    )  # fmt: skip
    with primary.connected() as client:
        end = time.monotonic() + 20
        client.set("in step", 1, px=1)
        while client.wait(1, 100) < 1:
            assert time.monotonic() < end, "the replica does not come"
            time.sleep(0.02)
        client.delete("in step")
    return primary, replica


@pytest.fixture(params=["sync", "async"])
def make_cart(
    request: pytest.FixtureRequest, runner: asyncio.Runner
) -> Iterator[Callable[..., Any]]:
    """A cart "c" on a store of these options, sync and asyncio alike."""
    stores: list[Any] = []

    def make(url: str, **options: Any) -> Any:
        kind: Any = RedisStore if request.param == "sync" else AsyncRedisStore
        store = kind(url, **{"deadline": DEADLINE, **options})
        stores.append(store)
        return Cart("c", store) if kind is RedisStore else Waiting(AsyncCart("c", store), runner)

    yield make
    for store in stores:
        runner.run(store.close()) if isinstance(store, AsyncRedisStore) else store.close()


def version_at(engine: Engine) -> int:
    """The version of the cart, at this very server."""
    with engine.connected() as client:
        stored = client.hget(Keyspace().cart("c"), "v")
    return int(stored.split(b"|")[0]) if stored else 0


def test_a_change_is_done_when_the_replica_has_it(
    pair: tuple[Engine, Engine], make_cart: Callable[..., Any]
) -> None:
    """What was answered is there."""
    primary, replica = pair
    cart = make_cart(primary.url, durability="replicated", deadline=PATIENT)

    for _ in range(20):
        assert cart.add("apple").version == version_at(replica)


def test_a_change_that_no_replica_has_is_not_done(
    pair: tuple[Engine, Engine], make_cart: Callable[..., Any]
) -> None:
    """The primary has it once; within the deadline the caller hears that this is not enough."""
    primary, replica = pair
    cart = make_cart(primary.url, durability="replicated")
    make_cart(primary.url).add("apple")
    with replica.frozen():
        started = time.monotonic()
        with pytest.raises(OutcomeUnknownError, match="0 of 1 replicas have it") as unknown:
            cart.add("apple")
        assert DEADLINE / 2 < time.monotonic() - started < DEADLINE + MARGIN
        assert version_at(primary) == 2

    patient = make_cart(primary.url, durability="replicated", deadline=PATIENT)
    settled = patient.add("apple", operation_id=unknown.value.operation_id)

    assert (settled.replayed, settled.summary.total_quantity) == (True, 2)
    assert version_at(replica) == 2


def test_a_repeat_waits_for_the_change_itself(
    pair: tuple[Engine, Engine], make_cart: Callable[..., Any]
) -> None:
    """It came over another connection, of which a bare WAIT would know nothing."""
    primary, replica = pair
    hasty = make_cart(primary.url)
    careful = make_cart(primary.url, durability="replicated")
    hasty.add("apple")
    with replica.frozen():
        hasty.add("apple", operation_id="order-1")
        with pytest.raises(OutcomeUnknownError):
            careful.add("apple", operation_id="order-1")

    patient = make_cart(primary.url, durability="replicated", deadline=PATIENT)
    assert patient.add("apple", operation_id="order-1").replayed
    assert version_at(replica) == 2


def test_two_replicas_are_asked_for_and_one_is_there(
    pair: tuple[Engine, Engine], make_cart: Callable[..., Any]
) -> None:
    """`replicas` is how many must have it."""
    cart = make_cart(pair[0].url, durability="replicated", replicas=2, deadline=MARGIN)

    with pytest.raises(OutcomeUnknownError, match="1 of 2 replicas have it"):
        cart.add("apple")


def test_reads_and_refusals_wait_for_nobody(
    pair: tuple[Engine, Engine], make_cart: Callable[..., Any]
) -> None:
    """Nothing was written that could be lost."""
    primary, replica = pair
    cart = make_cart(primary.url, durability="replicated")
    make_cart(primary.url).add("apple")
    with replica.frozen():
        assert cart.get().total_quantity == 1
        with pytest.raises(LineNotFoundError):
            cart.remove("pear")


def test_a_merge_is_done_when_the_replica_has_it(
    pair: tuple[Engine, Engine], make_cart: Callable[..., Any]
) -> None:
    """Flows wait at each of their steps."""
    primary, replica = pair
    target = make_cart(primary.url, durability="replicated", deadline=PATIENT)
    source = RedisStore(primary.url)
    Cart("guest", source).add("apple", quantity=3)
    source.close()

    report = target.merge_from("guest")

    assert report.added == 1
    with replica.connected() as client:
        assert client.hget(Keyspace().cart("c"), ":apple").startswith(b"3|")
        assert client.hget(Keyspace().cart("guest"), "s").startswith(b"merged|")


@pytest.mark.parametrize("kind", ["valkey9", "redis8"])
def test_a_change_is_done_when_it_is_on_disk(
    kind: str, engines: Engines, make_cart: Callable[..., Any]
) -> None:
    """Though the engine itself would sync but once a second; a crash loses none of it."""
    engine = engines.acquire_own(kind, "--appendonly", "yes", "--appendfsync", "everysec")
    with engine.connected() as client:
        client.config_resetstat()
    cart = make_cart(engine.url, durability="fsync", deadline=PATIENT)
    for _ in range(3):
        cart.add("apple")
    with engine.connected() as client:
        # Once for each change: a wait is longer than the second between two syncs.
        assert client.info("commandstats")["cmdstat_waitaof"]["calls"] in (3, 4)
    engine.kill()

    engine.start()

    assert version_at(engine) == 3


@pytest.mark.parametrize(
    ("kind", "said"), [("valkey9", "appendonly is disabled"), ("redis6", "unknown command")]
)
def test_a_disk_that_cannot_be_waited_for_is_reported(
    kind: str, said: str, engines: Engines, make_cart: Callable[..., Any]
) -> None:
    """An engine without the file, or without the command: the change is made, never confirmed."""
    engine = engines.acquire_own(kind)
    cart = make_cart(engine.url, durability="fsync")

    with pytest.raises(OutcomeUnknownError, match=said):
        cart.add("apple")

    assert version_at(engine) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"durability": "two"},
        {"durability": "primary", "replicas": 1},
        {"replicas": 1},
        {"durability": "replicated", "replicas": 0},
        {"durability": "fsync", "replicas": -1},
        {"durability": "replicated", "replicas": True},
        {"durability": "replicated", "replicas": 1.0},
    ],
)
@pytest.mark.parametrize("kind", [RedisStore, AsyncRedisStore])
def test_what_cannot_be_waited_for_is_refused(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"replicas|durability"):
        kind("redis://localhost", **options)


def test_a_repeat_is_not_answered_by_a_replica(pair: tuple[Engine, Engine]) -> None:
    """It knows the change, and is no primary: who asks there is told, and looks for the primary."""
    primary, replica = pair
    store = RedisStore(primary.url, durability="replicated", deadline=PATIENT)
    Cart("c", store).add("apple", operation_id="order-1")
    store.close()
    asking = RedisStore(replica.url, deadline=DEADLINE)

    with pytest.raises(StoreUnavailableError, match=r"(?i)read ?only"):
        Cart("c", asking).add("apple", operation_id="order-1")
    asking.close()
