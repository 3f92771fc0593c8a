"""Many callers at once: 64 tasks, 8 threads, and 8 threads on one cart, where updates get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import redis.asyncio

from ecart import AsyncCart, Cart

from .figures import Figure, Measurement, at_least, at_most
from .lab import SOCKET, TCP, Lab
from .library import PRICE, RULES, filled
from .rivals import BlobCart, bare_script
from .rounds import Samples, Turn, interleaved, timed

TASKS = 64
THREADS = 8


def tasks(lab: Lab, door: str) -> Iterable[Figure]:
    """64 tasks, each adding to a cart of its own."""
    filled(lab, 1)
    url = lab.engine.urls[door]
    with asyncio.Runner() as runner:
        pool = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=TASKS)
        client = redis.asyncio.Redis.from_pool(pool)
        carts = [AsyncCart(f"task-{number}", url, rules=RULES) for number in range(TASKS)]
        pooled = [AsyncCart(cart.cart_id, client, rules=RULES) for cart in carts]
        turns = {
            "AsyncCart(URL)": in_tasks(runner, adds(carts)),
            "AsyncCart(pool)": in_tasks(runner, adds(pooled)),
            "pool": in_tasks(runner, [bare_script(client)] * TASKS),
        }
        samples = timed(turns, lab.pace)
        runner.run(carts[0].store.close())  # type: ignore[attr-defined]
        runner.run(client.aclose())
    for ours in ("AsyncCart(URL)", "AsyncCart(pool)"):
        target = at_least(2.0) if ours == "AsyncCart(URL)" else None
        name = f"{ours}, {TASKS} tasks: adds a second / bare calls through a pool, {door}"
        yield rates(name, samples, ours, "pool", target)


def threads(lab: Lab, door: str) -> Iterable[Figure]:
    """8 threads, each adding to a cart of its own, through one client."""
    filled(lab, 1)
    with lab.engine.client(door) as client, ThreadPoolExecutor(THREADS) as pool:
        carts = [Cart(f"thread-{number}", client, rules=RULES) for number in range(THREADS)]
        turns = {
            "Cart": in_threads(pool, adds(carts)),
            "bare": in_threads(pool, [bare_script(client)] * THREADS),
        }
        samples = timed(turns, lab.pace)
    name = f"Cart, {THREADS} threads: adds a second / bare calls, {door}"
    yield rates(name, samples, "Cart", "bare")


def one_cart(lab: Lab, door: str) -> Iterable[Figure]:
    """8 threads on one cart of five lines: who is faster, and who loses what was added."""
    cart_id = filled(lab, 5)
    clients = [lab.engine.client(door) for _ in range(THREADS)]
    carts = [Cart(cart_id, client, rules=RULES) for client in clients]
    blobs = [BlobCart("c", client) for client in clients]
    for number in range(5):
        blobs[0].add(f"sku-{number}", PRICE)
    calls = max(THREADS, round(lab.pace.turn * 5000))
    lost: dict[str, list[float]] = {"Cart": [], "blob": []}
    with ThreadPoolExecutor(THREADS) as pool:
        ours = in_threads(pool, adds(carts))
        theirs = in_threads(pool, adds(blobs))
        contenders: dict[str, tuple[Turn, Callable[[], int]]] = {
            "Cart": (ours, lambda: carts[0].summary().total_quantity),
            "blob": (theirs, lambda: blobs[0].units()),
        }

        def counted(name: str) -> float:
            turn, units = contenders[name]
            before = units()
            seconds = turn(calls)
            lost[name].append((before + calls - units()) / calls * 1000)
            return seconds / calls

        for turn, _ in contenders.values():
            turn(THREADS)
        samples = interleaved(
            {name: partial(counted, name) for name in contenders}, lab.pace.rounds
        )
    for client in clients:
        client.close()
    where = f"{THREADS} threads on one cart, {door}"
    yield rates(f"Cart, {where}: adds a second / blob", samples, "Cart", "blob", at_least(1.0))
    yield Figure(f"Cart, {where}: adds lost", tuple(lost["Cart"]), "of 1,000", at_most(0))
    yield Figure(f"blob, {where}: adds lost", tuple(lost["blob"]), "of 1,000")


def rates(name: str, samples: Samples, ours: str, theirs: str, target: Any = None) -> Figure:
    """How often we do it in the time in which they do it once."""
    beside = {
        name: tuple(1 / seconds for seconds in samples.scores[name]) for name in (ours, theirs)
    }
    values = samples.ratios(theirs, ours)
    return Figure(name, values, target=target, beside=beside, beside_unit="a second")


def adds(carts: Sequence[Any]) -> list[Callable[[], Any]]:
    return [partial(cart.add, "sku-0", unit_price=PRICE) for cart in carts]


def in_tasks(runner: asyncio.Runner, calls: Sequence[Callable[[], Awaitable[Any]]]) -> Turn:
    """The turn of many tasks, which share the calls evenly."""

    async def repeat(call: Callable[[], Awaitable[Any]], times: int) -> None:
        for _ in range(times):
            await call()

    async def all_at_once(total: int) -> float:
        began = perf_counter()
        shares = _shares(total, len(calls))
        await asyncio.gather(*map(repeat, calls, shares))
        return perf_counter() - began

    return lambda total: runner.run(all_at_once(total))


def in_threads(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], Any]]) -> Turn:
    """The turn of many threads, which share the calls evenly."""

    def repeat(call: Callable[[], Any], times: int) -> None:
        for _ in range(times):
            call()

    def turn(total: int) -> float:
        began = perf_counter()
        list(pool.map(repeat, calls, _shares(total, len(calls))))
        return perf_counter() - began

    return turn


def _shares(total: int, among: int) -> list[int]:
    return [total // among + (number < total % among) for number in range(among)]


MEASUREMENTS = tuple(
    Measurement(f"{call.__name__}, {door}", partial(call, door=door))
    for door in (SOCKET, TCP)
    for call in (tasks, threads, one_cart)
)
