"""A store measured in a few seconds: what a change and a read take there, beside a bare round trip.

Its carts are under a prefix of their own, are removed at the end, and, should that not come to
pass, expire within minutes. Figures of a busy machine are not those of an idle one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import msgspec

from ecart.cart import Cart
from ecart.operations import Rules, new_token
from ecart.stores.redis import RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.nodes import opened

CLIENTS = (1, 8)
"""How many call at once: threads of this process."""

_CARTS = 64
_LINES = 5
_RULES = Rules(ttl_ms=300_000, max_quantity=1_000_000)
_WARM_UP = 20

Calls = dict[str, Callable[[int], object]]
Progress = Callable[[int, int], None]


class Row(msgspec.Struct, frozen=True):
    """One operation at so many clients; times in milliseconds."""

    operation: str
    clients: int
    calls: int
    per_second: int
    p50_ms: float
    p99_ms: float


def measure(
    url: str, keys: Keyspace, *, seconds: float = 0.4, progress: Progress = lambda done, total: None
) -> list[Row]:
    """Takes each row for so many seconds.

    Raises:
        StoreUnavailableError: the engine does not answer.
    """
    rows: list[Row] = []
    with _calls(url, keys) as calls:
        total = len(CLIENTS) * len(calls)
        for clients in CLIENTS:
            for name, call in calls.items():
                rows.append(_row(name, call, clients, seconds))
                progress(len(rows), total)
    return rows


@contextlib.contextmanager
def _calls(url: str, keys: Keyspace) -> Iterator[Calls]:
    """What is measured, by name; each takes a number, of which carts are made."""
    prefix = f"{keys.prefix}.bench-{new_token().replace('-', '_')}"
    with contextlib.ExitStack() as stack:
        nodes = stack.enter_context(opened(url))
        store = RedisStore(url, prefix=prefix, partitions=keys.partitions, index=False)
        stack.callback(store.close)
        carts = [Cart(number, store, rules=_RULES) for number in range(_CARTS)]
        stack.callback(_remove, carts)
        for cart in carts:
            for line in range(_LINES):
                cart.add(f"sku-{line}", unit_price="19.90")
        yield {
            "ping": lambda number: nodes[0].client.execute_command("PING"),
            "add": lambda number: carts[number % _CARTS].add(f"sku-{number % _LINES}"),
            "get": lambda number: carts[number % _CARTS].get(),
            "summary": lambda number: carts[number % _CARTS].summary(),
        }


def _remove(carts: list[Cart]) -> None:
    for cart in carts:
        cart.purge()


def _row(name: str, call: Callable[[int], object], clients: int, seconds: float) -> Row:
    for number in range(_WARM_UP):
        call(number)
    taken: list[list[int]] = [[] for _ in range(clients)]
    failures: list[BaseException] = []
    barrier = threading.Barrier(clients)

    def work(client: int) -> None:
        try:
            barrier.wait()
            _take_times(call, client * 7, seconds, taken[client])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return _summed_up(name, clients, taken)


def _take_times(
    call: Callable[[int], object], number: int, seconds: float, taken: list[int]
) -> None:
    now = time.perf_counter_ns()
    end = now + int(seconds * 1e9)
    while now < end:
        call(number)
        number += 1
        before, now = now, time.perf_counter_ns()
        taken.append(now - before)


def _summed_up(name: str, clients: int, taken: list[list[int]]) -> Row:
    times = sorted(time for of_client in taken for time in of_client)
    # Each client was busy all the time, so their rates add up.
    rate = sum(len(of_client) / (sum(of_client) / 1e9) for of_client in taken)
    p50, p99 = (times[int(len(times) * share)] / 1e6 for share in (0.5, 0.99))
    return Row(name, clients, len(times), round(rate), round(p50, 3), round(p99, 3))
