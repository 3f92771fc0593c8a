"""What carts weigh in the engine, next to E-Cart 1.0.2's of the same lines.

Nothing leaves a cart by itself before the cart expires: ten minutes after its last change it holds
what it held at once, lane records included. So it is weighed as it stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ecart import AsyncCart, Cart

from .figures import Figure, Measurement, at_most
from .lab import Engine, Lab
from .library import PRICE, named
from .rivals import ECartCart

FIVE = 5
TITLE = "Alpine cheese, 200 g"


def at_rest(lab: Lab) -> Iterable[Figure]:
    """A cart of five lines: plain, with titles, changed by four tasks at once, and E-Cart's."""
    with fresh(lab) as (engine, client):
        weights = {"plain": _filled_by_one(client, None), "titled": _filled_by_one(client, TITLE)}
        asyncio.run(_filled_by_four(engine))
        weights["four"] = weigh(client, _key("four", client))
        old = ECartCart("old", client)
        _put(partial(old.add, unit_cost=19.9))
        weights["old"] = weigh(client, old.key)
    note = f"E-Cart 1.0.2: {weights['old']:.0f}"
    for kind, what in {
        "plain": "a cart of 5 lines",
        "titled": "a cart of 5 lines with titles",
        "four": "a cart of 5 lines, filled by 4 tasks at once",
    }.items():
        yield Figure(f"{what}, at rest", (weights[kind],), "bytes", at_most(500), note)


def _filled_by_one(client: Any, title: str | None) -> float:
    cart = Cart("titled" if title else "plain", client)
    _put(partial(cart.add, unit_price=PRICE, title=title))
    return weigh(client, _key(cart.cart_id, client))


async def _filled_by_four(engine: Engine) -> None:
    client = engine.async_client()
    cart = AsyncCart("four", client)
    for number in range(FIVE):
        await asyncio.gather(*(cart.add(f"sku-{number}", unit_price=PRICE) for _ in range(4)))
    await client.aclose()


def of_many(lab: Lab) -> Iterable[Figure]:
    """Memory that the engine uses for many carts of five lines, a cart."""
    weights = {}
    for whose, fill in (("ours", _fill_ours), ("old", _fill_old)):
        # An engine for each: one that was emptied frees memory for a while.
        with fresh(lab) as (_, client):
            weights[whose] = _grown(client, lab.pace.carts, fill)
    name = f"used_memory a cart of 5 lines, {lab.pace.carts:,} carts"
    note = f"E-Cart 1.0.2: {weights['old']:.0f}"
    yield Figure(name, (weights["ours"],), "bytes", at_most(500), note)


def _fill_ours(client: Any, number: int) -> None:
    _put(partial(Cart(f"user-{number}", client).add, unit_price=PRICE))


def _fill_old(client: Any, number: int) -> None:
    _put(partial(ECartCart(f"user-{number}", client).add, unit_cost=19.9))


def _grown(client: Any, carts: int, fill: Callable[[Any, int], None]) -> float:
    fill(client, 0)
    before = client.info("memory")["used_memory"]
    for number in range(1, carts + 1):
        fill(client, number)
    return float(client.info("memory")["used_memory"] - before) / carts


def by_size(lab: Lab) -> Iterable[Figure]:
    """Bytes of carts of several sizes, and how the engine keeps them."""
    with fresh(lab) as (_, client):
        for lines in (1, 5, 20, 100):
            cart, old = Cart(f"of-{lines}", client), ECartCart(f"of-{lines}", client)
            for number in range(lines):
                cart.add(f"sku-{number}", unit_price=PRICE)
                old.add(f"sku-{number}", 19.9)
            key = _key(cart.cart_id, client)
            encoding = client.object("encoding", key).decode()
            note = f"{encoding}; E-Cart 1.0.2: {weigh(client, old.key):.0f}"
            name = f"a cart of {named(lines)}, just used"
            yield Figure(name, (weigh(client, key),), "bytes", note=note)


def _put(add: Callable[..., Any]) -> None:
    for number in range(FIVE):
        add(f"sku-{number}")


def _key(cart_id: str, client: Any) -> str:
    key: str = Cart(cart_id, client).store.keys.cart(cart_id)  # type: ignore[attr-defined]
    return key


def weigh(client: Any, key: str) -> float:
    """The bytes of a key with its name, every field counted."""
    return float(client.memory_usage(key, samples=0))


@contextmanager
def fresh(lab: Lab) -> Iterator[tuple[Engine, Any]]:
    """An engine in which nothing was before."""
    engine = lab.own_engine()
    with engine.client() as client:
        yield engine, client


MEASUREMENTS = (
    Measurement("at rest", at_rest),
    Measurement("by size", by_size),
    Measurement("many carts", of_many),
)
