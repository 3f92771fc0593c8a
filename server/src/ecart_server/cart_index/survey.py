"""Statistics of all carts, or of a random sample of partitions: totals, histograms, extremes.

Carts are read through the index, a page at a time, so memory does not grow with their number.
"""

from __future__ import annotations

import heapq
import random
import time
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ecart.model import CartSummary
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index.index_reader import fetch_entries, repair_index, scan_index
from ecart_server.redis_admin.connections import Node, owner_of
from ecart_server.redis_admin.progress import Progress

LIST_LENGTH = 20
"""Carts in each list of a survey: the largest, those that expire first, the longest idle."""

SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
"""Lower bounds of the histogram of line counts; carts without lines are counted apart."""
VALUES = (0, 10, 20, 50, 100, 200, 500, 1000, 5000)
"""Lower bounds of the histogram of subtotals, in units of the cart's currency."""
AGES = (0, 60, 600, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400)
"""Lower bounds of the histogram of idle times: seconds since the last change."""


class Bucket(msgspec.Struct, frozen=True):
    """A bar of a histogram: how many carts are from `at_least` on, below the next bucket's."""

    at_least: int
    carts: int


class CartRow(msgspec.Struct, frozen=True):
    """A cart in a list. `subtotal` is decimal text; times are milliseconds since 1970."""

    cart_id: str
    line_count: int
    total_quantity: int
    subtotal: str
    currency: str
    state: str
    updated_ms: int
    expires_ms: int | None


def cart_row(cart: CartSummary) -> CartRow:
    """The row of a cart in lists."""
    return CartRow(
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
    """The statistics of the carts of `surveyed` of all `partitions`, at one time.

    `indexed` alone is of all partitions: the entries in their indexes, dead ones included. `empty`:
    carts without lines; of the other fields only `states` counts them, too. `damaged`: carts that
    cannot be read. `forgotten`: dead entries that were removed. `subtotals`: sums by currency,
    decimal text. `expiring` are the carts that expire first, `largest` by units, `idlest` those
    without a change for longest.
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
    largest: tuple[CartRow, ...]
    expiring: tuple[CartRow, ...]
    idlest: tuple[CartRow, ...]

    @property
    def is_sample(self) -> bool:
        """Whether only some partitions were surveyed."""
        return self.surveyed < self.partitions


def survey(
    nodes: Sequence[Node],
    keys: Keyspace,
    *,
    max_carts: int | None = 200_000,
    progress: Progress = lambda done, total: None,
) -> Survey:
    """Surveys the carts of random partitions, until it has seen `max_carts`; None: all carts.

    The indexes of these partitions are repaired on the way. Progress is counted in partitions.

    Raises:
        StoreUnavailableError: an engine does not answer.
    """
    began = time.monotonic()
    sizes = index_sizes(nodes, keys)
    statistics = _Statistics(time.time_ns() // 1_000_000)
    surveyed = seen = 0
    for partition in random.sample(range(keys.partitions), keys.partitions):
        if max_carts is not None and seen >= max_carts:
            break
        node = owner_of(nodes, keys.index(partition))
        for entries in scan_index(node, keys, partition):
            states = list(fetch_entries(node, keys, entries))
            for state in states:
                if state.cart is not None:
                    statistics.add(state.cart)
                statistics.damaged += state.is_damaged
            statistics.forgotten += repair_index(node, states)
        seen += sizes[partition]
        surveyed += 1
        progress(surveyed, keys.partitions)
    return statistics.result(
        seconds=round(time.monotonic() - began, 3),
        indexed=sum(sizes),
        partitions=keys.partitions,
        surveyed=surveyed,
    )


def index_sizes(nodes: Sequence[Node], keys: Keyspace) -> list[int]:
    """How many entries the index of each partition has, dead ones included.

    Raises:
        StoreUnavailableError: an engine does not answer.
    """
    sizes = [0] * keys.partitions
    owners = [owner_of(nodes, keys.index(partition)) for partition in range(keys.partitions)]
    for node in nodes:
        its_own = [partition for partition, owner in enumerate(owners) if owner is node]
        replies = node.pipeline([("ZCARD", keys.index(partition)) for partition in its_own])
        for partition, reply in zip(its_own, replies, strict=True):
            sizes[partition] = reply if isinstance(reply, int) else 0
    return sizes


class _Statistics:
    """Accumulates the statistics of a survey, cart by cart."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.carts = self.empty = self.units = self.damaged = self.forgotten = 0
        self._subtotals: dict[str, Decimal] = {}
        self._states: dict[str, int] = {}
        self._sizes, self._values, self._ages = ([0] * len(s) for s in (SIZES, VALUES, AGES))
        self._largest: list[tuple[int, str, CartSummary]] = []
        self._idlest: list[tuple[int, str, CartSummary]] = []
        self._expiring: list[tuple[int, str, CartSummary]] = []

    def add(self, cart: CartSummary) -> None:
        """Adds a live cart."""
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
        _push_ranked(self._largest, cart.total_quantity, cart)
        _push_ranked(self._idlest, -cart.updated_ms, cart)
        if cart.lifetime_ms:
            _push_ranked(self._expiring, -(cart.updated_ms + cart.lifetime_ms), cart)

    def result(self, **totals: Any) -> Survey:
        """The survey; `totals` are its fields that are not counted here."""
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
            largest=_rows(self._largest),
            expiring=_rows(self._expiring),
            idlest=_rows(self._idlest),
            **totals,
        )


def _push_ranked(best: list[tuple[int, str, CartSummary]], rank: int, cart: CartSummary) -> None:
    """Adds the cart to a heap of the highest ranks; a scan may return the same cart twice."""
    entry = (rank, cart.cart_id, cart)
    if len(best) < LIST_LENGTH:
        heapq.heappush(best, entry)
    elif entry[:2] > best[0][:2] and all(cart.cart_id != other for _, other, _ in best):
        heapq.heapreplace(best, entry)


def _buckets(bounds: Sequence[int], counts: Sequence[int]) -> tuple[Bucket, ...]:
    return tuple(Bucket(bound, count) for bound, count in zip(bounds, counts, strict=True))


def _rows(best: list[tuple[int, str, CartSummary]]) -> tuple[CartRow, ...]:
    carts = [cart for _, _, cart in sorted(best, key=lambda entry: entry[:2], reverse=True)]
    return tuple(map(cart_row, carts))
