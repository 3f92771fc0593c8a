"""One caller of the library, beside the bare call of the same kind through the same client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from itertools import count, cycle
from time import perf_counter
from typing import Any

from ecart import AsyncCart, Cart, Rules
from ecart.operations import AddItem
from ecart.stores.redis.deduplication import acquire_lane
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.operations import build_call
from ecart.stores.redis.transport.connections import PoolConnections
from ecart.stores.redis.transport.sync import send_one

from .figures import Figure, Measurement, Target, at_least, at_most
from .lab import SOCKET, TCP, Lab
from .rivals import ARGUMENTS, ONE_LINE, BlobCart, ECartCart, bare_script
from .rounds import Samples, Turn, awaiting, calling, timed

RULES = Rules(max_quantity=1_000_000)
PRICE = "19.90"


def filled(lab: Lab, lines: int) -> str:
    """The id of a new cart with so many lines, alone in the engine of the run."""
    with lab.engine.client() as client:
        client.flushall()
        client.script_load(ONE_LINE)
        return fill(f"of-{lines}", client, lines)


def fill(cart_id: str, client: Any, lines: int) -> str:
    """Puts so many lines into a cart."""
    cart = Cart(cart_id, client, rules=RULES)
    for number in range(lines):
        cart.add(f"sku-{number}", unit_price=PRICE)
    return cart_id


def ratio(
    name: str, samples: Samples, above: str, below: str, target: Target | None = None
) -> Figure:
    """The figure of one contender over another, with what each took."""
    beside = samples.of(above, below, scale=1e6)
    return Figure(name, samples.ratios(above, below), target=target, beside=beside)


def add(lab: Lab, door: str, lines: int) -> Iterable[Figure]:
    """`Cart.add`, beside the bare script call."""
    cart_id = filled(lab, lines)
    with lab.engine.client(door) as client:
        cart = Cart(cart_id, client, rules=RULES)
        own = Cart(cart_id, lab.engine.urls[door], rules=RULES)
        turns = {
            "add": calling(lambda: cart.add("sku-0", unit_price=PRICE)),
            "EVALSHA": calling(bare_script(client)),
            "add, seen": calling(lambda: cart.add("sku-0", unit_price=PRICE).summary),
            "add by URL": calling(lambda: own.add("sku-0", unit_price=PRICE)),
            "new": calling(
                lambda: Cart(cart_id, client, rules=RULES).add("sku-0", unit_price=PRICE)
            ),
            "EVALSHA, 16 arguments": calling(bare_script(client, *ARGUMENTS)),
        }
        samples = timed(turns, lab.pace)
    where = f"{named(lines)}, {door}"
    target = at_most(1.25) if (door, lines) == (SOCKET, 10) else None
    yield ratio(f"Cart.add / bare EVALSHA, {where}", samples, "add", "EVALSHA", target)
    seen = f"Cart.add and its summary / bare EVALSHA, {where}"
    yield ratio(seen, samples, "add, seen", "EVALSHA")
    wide = "EVALSHA, 16 arguments"
    yield ratio(f"Cart.add / EVALSHA of 16 arguments, {where}", samples, "add", wide)
    yield ratio(f"Cart(URL).add / bare EVALSHA, {where}", samples, "add by URL", "EVALSHA")
    yield ratio(f"A new Cart for each add / bare EVALSHA, {where}", samples, "new", "EVALSHA")


def rivals(lab: Lab, door: str) -> Iterable[Figure]:
    """`Cart.add`, beside two algorithms that carts are made of, on five lines."""
    cart_id = filled(lab, 5)
    with lab.engine.client(door) as client:
        cart = Cart(cart_id, client, rules=RULES)
        own = Cart(cart_id, lab.engine.urls[door], rules=RULES)
        old, blob = ECartCart("c", client), BlobCart("c", client)
        for number in range(5):
            old.add(f"sku-{number}", 19.9)
            blob.add(f"sku-{number}", PRICE)
        turns = {
            "Cart.add": calling(lambda: cart.add("sku-0", unit_price=PRICE)),
            "Cart(URL).add": calling(lambda: own.add("sku-0", unit_price=PRICE)),
            "ready-made": calling(ready_made(cart_id, client)),
            "E-Cart 1.0.2": calling(lambda: old.add("sku-0", 19.9)),
            "blob": calling(lambda: blob.add("sku-0", PRICE)),
        }
        samples = timed(turns, lab.pace)
    target = at_least(2.5) if door == TCP else None
    yield ratio(f"E-Cart 1.0.2 add / Cart.add, {door}", samples, "E-Cart 1.0.2", "Cart.add", target)
    by_url = f"E-Cart 1.0.2 add / Cart(URL).add, {door}"
    yield ratio(by_url, samples, "E-Cart 1.0.2", "Cart(URL).add")
    bound = f"E-Cart 1.0.2 add / the call of Cart.add ready-made, {door}"
    yield ratio(bound, samples, "E-Cart 1.0.2", "ready-made")
    yield ratio(f"blob add / Cart.add, 5 lines, {door}", samples, "blob", "Cart.add")


def ready_made(cart_id: str, client: Any) -> Callable[[], Any]:
    """What `Cart.add` sends, made beforehand but for its number, over the client's connections.

    What it takes is the client's, the engine's and the script's: no add by that client is quicker.
    """
    key = Keyspace().cart(cart_id)
    lane, connections = acquire_lane(key), PoolConnections(client.connection_pool)
    add = AddItem(sku="sku-0", unit_price=Decimal(PRICE), rules=RULES)
    call, numbers = build_call(key, add, lane), count(lane.sequence)
    place = 4 + call.script.arguments.index("sequence")  # behind EVALSHA, sha, 1 and the key
    before, after = call.by_sha[:place], call.by_sha[place + 2 :]  # and before what the digest is
    client.script_load(call.script.text)

    def send() -> Any:
        number = next(numbers)
        return send_one(connections, (*before, number, f"{lane.tag}-{number:x}", *after))

    return send


def get(lab: Lab, door: str, lines: int) -> Iterable[Figure]:
    """`Cart.get`, beside HGETALL of the same key."""
    cart_id = filled(lab, lines)
    with lab.engine.client(door) as client:
        cart = Cart(cart_id, client)
        key = cart.store.keys.cart(cart_id)  # type: ignore[attr-defined]
        turns = {"get": calling(cart.get), "HGETALL": calling(lambda: client.hgetall(key))}
        samples = timed(turns, lab.pace)
    target = at_most(1.4) if lines == 10 else None
    name = f"Cart.get / bare HGETALL, {named(lines)}, {door}"
    yield ratio(name, samples, "get", "HGETALL", target)


def summary(lab: Lab, door: str, lines: int) -> Iterable[Figure]:
    """`Cart.summary`, beside HMGET of the same four fields."""
    cart_id = filled(lab, lines)
    with lab.engine.client(door) as client:
        cart = Cart(cart_id, client)
        key = cart.store.keys.cart(cart_id)  # type: ignore[attr-defined]
        turns = {
            "summary": calling(cart.summary),
            "HMGET": calling(lambda: client.hmget(key, "v", "c", "m", "s")),
        }
        samples = timed(turns, lab.pace)
    name = f"Cart.summary / bare HMGET, {named(lines)}, {door}"
    yield ratio(name, samples, "summary", "HMGET")


def set_quantity(lab: Lab, door: str) -> Iterable[Figure]:
    """`Cart.set_quantity`, beside the bare script call."""
    cart_id = filled(lab, 10)
    quantities = cycle((1, 2, 3))
    with lab.engine.client(door) as client:
        cart = Cart(cart_id, client)
        turns = {
            "set_quantity": calling(lambda: cart.set_quantity("sku-0", next(quantities))),
            "EVALSHA": calling(bare_script(client)),
        }
        samples = timed(turns, lab.pace)
    name = f"Cart.set_quantity / bare EVALSHA, 10 lines, {door}"
    yield ratio(name, samples, "set_quantity", "EVALSHA")


def remove(lab: Lab, door: str) -> Iterable[Figure]:
    """`Cart.remove`, beside the bare script call."""
    cart_id = filled(lab, 10)
    with lab.engine.client(door) as client:
        cart = Cart(cart_id, client)
        turns = {"remove": removing(cart), "EVALSHA": calling(bare_script(client))}
        samples = timed(turns, lab.pace)
    name = f"Cart.remove / bare EVALSHA, 11 to 30 lines, {door}"
    yield ratio(name, samples, "remove", "EVALSHA")


def removing(cart: Cart) -> Turn:
    """Removes lines; putting them there, twenty at a time, is not counted."""

    def turn(calls: int) -> float:
        seconds = 0.0
        for start in range(0, calls, 20):
            gone = [f"gone-{number}" for number in range(start, min(start + 20, calls))]
            for sku in gone:
                cart.add(sku, unit_price=PRICE)
            began = perf_counter()
            for sku in gone:
                cart.remove(sku)
            seconds += perf_counter() - began
        return seconds

    return turn


def sizes(lab: Lab, door: str) -> Iterable[Figure]:
    """The same calls on a cart of 500 lines and on one of a single line."""
    large = filled(lab, 500)
    with lab.engine.client(door) as client:
        small = fill("of-1", client, 1)
        carts = {name: Cart(name, client, rules=RULES) for name in (small, large)}
        turns: dict[str, Turn] = {}
        for name, cart in carts.items():
            turns[f"add {name}"] = calling(partial(cart.add, "sku-0", unit_price=PRICE))
            turns[f"summary {name}"] = calling(cart.summary)
        samples = timed(turns, lab.pace)
    for call in ("add", "summary"):
        name = f"Cart.{call} of 500 lines / of 1 line, {door}"
        yield ratio(name, samples, f"{call} {large}", f"{call} {small}", at_most(1.1))


def awaited(lab: Lab, door: str) -> Iterable[Figure]:
    """The calls of `AsyncCart`, one task, beside the bare calls through the same client."""
    cart_id = filled(lab, 10)
    quantities = cycle((1, 2, 3))
    with running(lab, door) as (runner, client):
        cart = AsyncCart(cart_id, client, rules=RULES)
        own = AsyncCart(cart_id, lab.engine.urls[door], rules=RULES)
        key = cart.store.keys.cart(cart_id)  # type: ignore[attr-defined]
        calls: dict[str, Callable[[], Any]] = {
            "add": lambda: cart.add("sku-0", unit_price=PRICE),
            "add by URL": lambda: own.add("sku-0", unit_price=PRICE),
            "set_quantity": lambda: cart.set_quantity("sku-1", next(quantities)),
            "bare EVALSHA": bare_script(client),
            "get": cart.get,
            "bare HGETALL": lambda: client.hgetall(key),
            "summary": cart.summary,
            "bare HMGET": lambda: client.hmget(key, "v", "c", "m", "s"),
        }
        turns = {name: awaiting(runner, call) for name, call in calls.items()}
        samples = timed(turns, lab.pace)
        runner.run(own.store.close())  # type: ignore[attr-defined]
    pairs = {
        "add": "bare EVALSHA",
        "add by URL": "bare EVALSHA",
        "set_quantity": "bare EVALSHA",
        "get": "bare HGETALL",
        "summary": "bare HMGET",
    }
    for call, bare in pairs.items():
        yield ratio(f"AsyncCart.{call} / {bare}, 10 lines, {door}", samples, call, bare)


@contextmanager
def running(lab: Lab, door: str) -> Iterator[tuple[asyncio.Runner, Any]]:
    """An event loop and a client of it."""
    with asyncio.Runner() as runner:
        client = lab.engine.async_client(door)
        yield runner, client
        runner.run(client.aclose())


def named(lines: int) -> str:
    """`1 line`, `10 lines`."""
    return f"{lines} line" if lines == 1 else f"{lines} lines"


def _measurements(door: str) -> Iterator[Measurement]:
    yield Measurement(f"add, {door}", partial(add, door=door, lines=10))
    yield Measurement(f"rivals, {door}", partial(rivals, door=door))
    yield Measurement(f"get, {door}", partial(get, door=door, lines=10))
    yield Measurement(f"summary, {door}", partial(summary, door=door, lines=10))
    yield Measurement(f"set_quantity, {door}", partial(set_quantity, door=door))
    yield Measurement(f"remove, {door}", partial(remove, door=door))
    yield Measurement(f"sizes, {door}", partial(sizes, door=door))
    yield Measurement(f"async, {door}", partial(awaited, door=door))
    for lines in (1, 100, 500):
        sized: tuple[Any, ...] = (add, get, summary)
        for call in sized:
            name = f"{call.__name__} of {lines}, {door}"
            yield Measurement(name, partial(call, door=door, lines=lines))


MEASUREMENTS = (*_measurements(SOCKET), *_measurements(TCP))
