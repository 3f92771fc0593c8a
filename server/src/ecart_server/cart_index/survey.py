"""All carts counted at once: how many, what is in them, how they are spread.

Read through the index, a page at a time, so memory does not grow with the carts. Partitions are
chosen by a hash of the cart's id: where there are too many carts to look at all of them, those of
some partitions are a fair sample, and the survey says how large it was.
"""

from __future__ import annotations

import heapq
import random
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ecart.model import CartSummary
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index.index_reader import entries_of, look_at, mend
from ecart_server.redis_admin.connections import Node, owner_of

MOST = 20
"""Carts in each list of the survey's: the largest, those that expire first, the longest idle."""

SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
"""From how many lines on a bucket goes; carts without lines are counted apart."""
VALUES = (0, 10, 20, 50, 100, 200, 500, 1000, 5000)
"""From which subtotal on, in units of the cart's currency."""
AGES = (0, 60, 600, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400)
"""From how many seconds since the last change on."""

Progress = Callable[[int, int], None]


class Bucket(msgspec.Struct, frozen=True):
    """Carts from `at_least` on, and below that of the next bucket."""

    at_least: int
    carts: int


class Listed(msgspec.Struct, frozen=True):
    """A cart in a list. `subtotal` is decimal text; times since 1970, in ms."""

    cart_id: str
    line_count: int
    total_quantity: int
    subtotal: str
    currency: str
    state: str
    updated_ms: int
    expires_ms: int | None


def listed(cart: CartSummary) -> Listed:
    """The cart as lists show it."""
    return Listed(
        cart.cart_id,
        cart.line_count,
        cart.total_quantity,
        f"{cart.subtotal:f}",
        cart.currency,
        cart.state,
        cart.updated_ms,
        cart.updated_ms + cart.lifetime_ms if cart.lifetime_ms else None,
    )


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What all carts looked like at a time.

    `indexed` is the number of entries in all indexes, dead ones included, `surveyed` of how many of
    `partitions` the rest is told; if that is not all, it is the rest of a sample. `subtotals`: sums
    by currency, decimal text. `expiring` are those that expire first, `largest` by units, `idlest`
    those without a change for longest.
    """

    taken_ms: int
    seconds: float
    indexed: int
    partitions: int
    surveyed: int
    carts: int
    empty: int
    damaged: int
    forgotten: int
    units: int
    subtotals: dict[str, str]
    states: dict[str, int]
    sizes: tuple[Bucket, ...]
    values: tuple[Bucket, ...]
    ages: tuple[Bucket, ...]
    largest: tuple[Listed, ...]
    expiring: tuple[Listed, ...]
    idlest: tuple[Listed, ...]

    @property
    def is_sample(self) -> bool:
        """Whether only some partitions were looked at."""
        return self.surveyed < self.partitions


def survey(
    nodes: Sequence[Node],
    keys: Keyspace,
    *,
    most: int | None = 200_000,
    progress: Progress = lambda done, total: None,
) -> Survey:
    """Looks at all carts, or, in partitions drawn at random, at about `most` of them.

    Each partition's index is mended on the way: who is not there any more is forgotten.

    Raises:
        StoreUnavailableError: an engine does not answer.
    """
    began = time.monotonic()
    sizes = index_sizes(nodes, keys)
    tally = _Tally(time.time_ns() // 1_000_000)
    order = random.sample(range(keys.partitions), keys.partitions)
    surveyed = seen = 0
    for partition in order:
        if most is not None and seen >= most:
            break
        _look_through(owner_of(nodes, keys.index(partition)), keys, partition, tally)
        seen += sizes[partition]
        surveyed += 1
        progress(surveyed, keys.partitions)
    return tally.survey(
        seconds=round(time.monotonic() - began, 3),
        indexed=sum(sizes),
        partitions=keys.partitions,
        surveyed=surveyed,
    )


def index_sizes(nodes: Sequence[Node], keys: Keyspace) -> list[int]:
    """How many entries the index of each partition has; some may be of carts that are over.

    Raises:
        StoreUnavailableError: an engine does not answer.
    """
    sizes = [0] * keys.partitions
    owners = [owner_of(nodes, keys.index(partition)) for partition in range(keys.partitions)]
    for node in nodes:
        those = [partition for partition, owner in enumerate(owners) if owner is node]
        replies = node.pipeline([("ZCARD", keys.index(partition)) for partition in those])
        for partition, reply in zip(those, replies, strict=True):
            sizes[partition] = reply if isinstance(reply, int) else 0
    return sizes


def _look_through(node: Node, keys: Keyspace, partition: int, tally: _Tally) -> None:
    for entries in entries_of(node, keys, partition):
        looks = list(look_at(node, keys, entries))
        for look in looks:
            if look.cart is not None:
                tally.count(look.cart)
            tally.damaged += look.is_damaged
        tally.forgotten += mend(node, looks)


class _Tally:
    """The counts so far."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.carts = self.empty = self.units = self.damaged = self.forgotten = 0
        self._subtotals: dict[str, Decimal] = {}
        self._states: dict[str, int] = {}
        self._sizes, self._values, self._ages = ([0] * len(s) for s in (SIZES, VALUES, AGES))
        self._largest: list[tuple[int, str, CartSummary]] = []
        self._idlest: list[tuple[int, str, CartSummary]] = []
        self._expiring: list[tuple[int, str, CartSummary]] = []

    def count(self, cart: CartSummary) -> None:
        """Takes a live cart in."""
        self._states[cart.state] = self._states.get(cart.state, 0) + 1
        if not cart.line_count:
            self.empty += 1
            return
        self.carts += 1
        self.units += cart.total_quantity
        known = self._subtotals.get(cart.currency, Decimal(0))
        self._subtotals[cart.currency] = known + cart.subtotal
        idle = max(0, self.now_ms - cart.updated_ms) // 1000
        for counts, bounds, value in (
            (self._sizes, SIZES, cart.line_count),
            (self._values, VALUES, int(cart.subtotal)),
            (self._ages, AGES, idle),
        ):
            counts[bisect_right(bounds, value) - 1] += 1
        _keep(self._largest, cart.total_quantity, cart)
        _keep(self._idlest, -cart.updated_ms, cart)
        if cart.lifetime_ms:
            _keep(self._expiring, -(cart.updated_ms + cart.lifetime_ms), cart)

    def survey(self, **of_all: Any) -> Survey:
        """What was counted."""
        return Survey(
            taken_ms=self.now_ms,
            carts=self.carts,
            empty=self.empty,
            damaged=self.damaged,
            forgotten=self.forgotten,
            units=self.units,
            subtotals={code: f"{amount:f}" for code, amount in sorted(self._subtotals.items())},
            states=dict(sorted(self._states.items())),
            sizes=_buckets(SIZES, self._sizes),
            values=_buckets(VALUES, self._values),
            ages=_buckets(AGES, self._ages),
            largest=_listed(self._largest),
            expiring=_listed(self._expiring),
            idlest=_listed(self._idlest),
            **of_all,
        )


def _keep(best: list[tuple[int, str, CartSummary]], rank: int, cart: CartSummary) -> None:
    entry = (rank, cart.cart_id, cart)
    if len(best) < MOST:
        heapq.heappush(best, entry)
    elif entry[:2] > best[0][:2] and all(cart.cart_id != other for _, other, _ in best):
        heapq.heapreplace(best, entry)


def _buckets(bounds: Sequence[int], counts: Sequence[int]) -> tuple[Bucket, ...]:
    return tuple(Bucket(bound, count) for bound, count in zip(bounds, counts, strict=True))


def _listed(best: list[tuple[int, str, CartSummary]]) -> tuple[Listed, ...]:
    carts = [cart for _, _, cart in sorted(best, key=lambda entry: entry[:2], reverse=True)]
    return tuple(map(listed, carts))
