"""Recorded histories of one cart are those of a single cart, whoever the clients are."""

from __future__ import annotations

import asyncio
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio

from ecart import AsyncRedisStore, MemoryStore, RedisStore
from ecart.operations import AddItem, GetCart, GetLine, SetQuantity
from ecart.store import run, run_async, steps_on
from engines import KINDS
from faults.linearizability import Event, Violation, find_violation
from faults.recording import EMPTY, cart_model, client, read_back
from faults.soak import IS_SOAK, TIMEOUT, rounds
from faults.visiting import CATALOG, Visitor, web_model
from proxy import lossy
from serving import Service

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ecart.flows import Flow
    from ecart.store import Store
    from engines import Engine, Engines

pytestmark = pytest.mark.timeout(TIMEOUT)

OPERATIONS = 200
LOST = 0.05
GIVEN_UP = 0.02
"""Fewer: each unknown outcome doubles the orders that the checker has to think of."""
MOST_PROCESSES = 8 if IS_SOAK else 5
WITH_FAULTS = KINDS if IS_SOAK else KINDS[:1]


def how_many(engine: Engine) -> int:
    """Histories by default on the first engine; the others show that they are no different."""
    return rounds(10 if engine.kind == KINDS[0] else 2, 1000)


class Plan:
    """Who does what in one history: 4 to 8 clients, 200 operations."""

    def __init__(self, number: int, chance: random.Random, most: int = 8) -> None:
        clients = chance.randint(4, most)
        self.history: list[Event] = []
        self.orders = [
            (f"c-{number}", f"{chance.random()}", len(range(one, OPERATIONS, clients)))
            for one in range(clients)
        ]

    def flows(self) -> list[Flow[None]]:
        return [client(*order, self.history) for order in self.orders]

    def violation(self) -> Violation | None:
        return find_violation(self.history, cart_model, EMPTY)


def recorded_by_threads(pool: ThreadPoolExecutor, plan: Plan, store: Store) -> Violation | None:
    list(pool.map(lambda flow: run(flow, steps_on(store)), plan.flows()))
    return plan.violation()


def in_threads(store: Store, histories: int, chance: random.Random) -> list[Plan]:
    """Records histories and holds them against the model."""
    plans = [Plan(number, chance) for number in range(histories)]
    with ThreadPoolExecutor(8) as pool:
        for plan in plans:
            assert recorded_by_threads(pool, plan, store) is None
    return plans


async def in_tasks(store: AsyncRedisStore, histories: int, chance: random.Random) -> list[Plan]:
    plans = [Plan(number, chance) for number in range(histories)]
    for plan in plans:
        await asyncio.gather(*(run_async(flow, steps_on(store)) for flow in plan.flows()))
        assert plan.violation() is None
    await store.close()
    return plans


def unknown(plans: list[Plan]) -> int:
    return sum(not event.is_known for plan in plans for event in plan.history)


def replayed(plans: list[Plan]) -> int:
    return sum(event.answer == "done" for plan in plans for event in plan.history)


def test_threads_on_the_memory_store(chance: random.Random) -> None:
    """The specification itself, under one lock."""
    in_threads(MemoryStore(), rounds(10, 1000), chance)


def test_threads(any_engine: Engine, chance: random.Random) -> None:
    """Nothing goes wrong with the network."""
    store = RedisStore(any_engine.url)
    in_threads(store, how_many(any_engine), chance)
    store.close()


async def test_tasks(any_engine: Engine, chance: random.Random) -> None:
    """The same in one event loop."""
    await in_tasks(AsyncRedisStore(any_engine.url), how_many(any_engine), chance)


@pytest.fixture(params=WITH_FAULTS)
def faulty_engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """An engine whose replies are going to be lost: every kind in a soak."""
    return engines.acquire(request.param)


def test_threads_with_lost_replies(faulty_engine: Engine, chance: random.Random) -> None:
    """One reply in twenty lost, and repeated: the repeat is known."""
    with lossy(faulty_engine, drop=LOST, seed=chance.getrandbits(32)) as proxy:
        store = RedisStore(proxy.url)
        plans = in_threads(store, how_many(faulty_engine), chance)
        store.close()

    assert replayed(plans) > len(plans)


async def test_tasks_with_lost_replies(faulty_engine: Engine, chance: random.Random) -> None:
    """The same in one event loop."""
    with lossy(faulty_engine, drop=LOST, seed=chance.getrandbits(32)) as proxy:
        plans = await in_tasks(AsyncRedisStore(proxy.url), how_many(faulty_engine), chance)

    assert replayed(plans) > len(plans)


def test_threads_that_give_up(faulty_engine: Engine, chance: random.Random) -> None:
    """A lost reply is not asked for again: that change was done, or not, or is done later."""
    with lossy(faulty_engine, drop=GIVEN_UP, seed=chance.getrandbits(32)) as proxy:
        # With a client's own time-outs, so that a busy machine is not mistaken for a lost reply.
        client = redis.Redis.from_url(proxy.url)
        plans = in_threads(RedisStore(client, deadline=0), how_many(faulty_engine), chance)
        client.close()

    assert unknown(plans) > len(plans)


async def test_tasks_that_give_up(faulty_engine: Engine, chance: random.Random) -> None:
    """The same in one event loop."""
    with lossy(faulty_engine, drop=GIVEN_UP, seed=chance.getrandbits(32)) as proxy:
        client = redis.asyncio.Redis.from_url(proxy.url)
        store = AsyncRedisStore(client, deadline=0)
        plans = await in_tasks(store, how_many(faulty_engine), chance)
        await client.aclose()

    assert unknown(plans) > len(plans)


def test_processes_with_lost_replies(
    faulty_engine: Engine,
    chance: random.Random,
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    """Each client a process; they share the machine's clock."""
    with lossy(faulty_engine, drop=LOST, seed=chance.getrandbits(32)) as proxy:
        clients = [start("recording.py", proxy.url) for _ in range(MOST_PROCESSES)]
        for number in range(how_many(faulty_engine)):
            plan = Plan(number, chance, MOST_PROCESSES)
            at_work = list(zip(clients, plan.orders, strict=False))
            for process, order in at_work:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
            for process, _ in at_work:
                plan.history += read_back(process.stdout.readline())
            assert len(plan.history) == OPERATIONS
            assert plan.violation() is None, number
        for process in clients:
            assert process.communicate() == ("", "")


def test_visitors_with_lost_replies(
    faulty_engine: Engine, chance: random.Random, tmp_path: Path
) -> None:
    """Each client a browser of one session; replies are lost behind the service.

    Its answers show the whole cart, and each is what one single cart would have shown.
    """
    catalog = tmp_path / "catalog.json"
    catalog.write_text(CATALOG)
    replayed = 0
    with (
        lossy(faulty_engine, drop=LOST, seed=chance.getrandbits(32)) as proxy,
        serving(proxy.url, catalog) as address,
        ThreadPoolExecutor(8) as pool,
    ):
        visitors = [Visitor(address) for _ in range(8)]
        for number in range(rounds(4, 1000)):
            plan = Plan(number, chance)
            cookie = visitors[0].begin()
            at_work = [
                pool.submit(visitor.record, cookie, seed, operations, plan.history)
                for visitor, (_, seed, operations) in zip(visitors, plan.orders, strict=False)
            ]
            for one in at_work:
                one.result()
            assert len(plan.history) == OPERATIONS
            assert find_violation(plan.history, web_model, EMPTY) is None, number
            replayed += sum(event.answer == "done" for event in plan.history)
        for visitor in visitors:
            visitor.close()

    assert replayed > rounds(4, 1000)


@contextlib.contextmanager
def serving(url: str, catalog: Path) -> Iterator[str]:
    """The service on an engine, in a process of its own; where it listens."""
    arguments = ("--redis-url", url, "--catalog", str(catalog))
    service = Service(*arguments, data_dir=catalog.parent / "data", env={})
    try:
        yield service.ready().address
    finally:
        service.end_all()


class LosesUpdates(RedisStore):
    """Planted: an add that reads the line, then writes it."""

    def execute(self, cart_id: str, operation: Any, /) -> Any:
        if not isinstance(operation, AddItem):
            return super().execute(cart_id, operation)
        line = super().execute(cart_id, GetLine(line_id=operation.line_id))
        if line is None:
            return super().execute(cart_id, operation)
        put = SetQuantity(
            line_id=operation.line_id,
            quantity=line.quantity + operation.quantity,
            rules=operation.rules,
        )
        return super().execute(cart_id, put)


class AddsTwice(RedisStore):
    """Planted: one add in fifty is repeated as another one."""

    adds = 0

    def execute(self, cart_id: str, operation: Any, /) -> Any:
        result = super().execute(cart_id, operation)
        self.adds += isinstance(operation, AddItem)
        if isinstance(operation, AddItem) and self.adds % 50 == 0:
            with contextlib.suppress(Exception):
                super().execute(cart_id, operation)
        return result


class ReadsStale(RedisStore):
    """Planted: one read in ten is answered from the read before."""

    reads = 0
    last: Any = None

    def execute(self, cart_id: str, operation: Any, /) -> Any:
        if not isinstance(operation, GetCart):
            return super().execute(cart_id, operation)
        self.reads += 1
        if self.last is not None and self.reads % 10 == 0:
            return self.last
        self.last = super().execute(cart_id, operation)
        return self.last


@pytest.mark.parametrize("faulty", [LosesUpdates, AddsTwice, ReadsStale])
def test_planted_faults_are_found(
    faulty: type[RedisStore], engine: Engine, chance: random.Random
) -> None:
    """A store with one of the classic faults shows a history of no single cart."""
    store = faulty(engine.url)
    with ThreadPoolExecutor(8) as pool:
        found = [recorded_by_threads(pool, Plan(number, chance), store) for number in range(5)]
    store.close()

    assert any(found)
