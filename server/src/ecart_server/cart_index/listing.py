"""Lists carts in the order of their last activity, a page at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from ecart.errors import EcartError
from ecart.model import CartSummary
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.transport.wire import Command
from ecart_server.cart_index.index_reader import IndexEntry, fetch_entries, repair_index
from ecart_server.redis_admin.connections import Node, owner_of, parse_scores

_FIRST_COUNT = 8
"""Entries read of each partition at first: a page needs few of most partitions."""
_NEXT_COUNT = 64
"""Entries read of a partition each time that its first ones did not suffice."""
_MAX_EXAMINED = 5_000
"""Entries examined for a page: where most of them are dead, it is shorter rather than late."""
_END_OF_TIME_MS = 2**53

Position = tuple[int, str]
"""Where an entry is in the order of all: its score, and its key among those of one score."""


class InvalidCursorError(EcartError):
    """The cursor is not one that a page ended with."""

    code = "invalid_cursor"


class CartPage(msgspec.Struct, frozen=True):
    """Live carts in order, and the cursor after which the next page starts; None: the last page.

    A page with a cursor may hold fewer carts than were asked for, or none.
    """

    carts: tuple[CartSummary, ...]
    after: str | None


def list_carts(
    nodes: Sequence[Node],
    keys: Keyspace,
    *,
    limit: int = 100,
    until_ms: int | None = None,
    newest_first: bool = False,
    after: str | None = None,
    with_empty: bool = False,
) -> CartPage:
    """The carts whose last change was `until_ms` (since 1970) or before, longest idle first.

    A cart that does not change is on exactly one page, whatever happens to others meanwhile.
    With `newest_first` the order is the other way round, true to the minute.

    Raises:
        InvalidCursorError: `after` was not given by a page.
        StoreUnavailableError: an engine does not answer.
    """
    position = None if after is None else _read_cursor(after)
    positions = _MergedIndexes(nodes, keys, newest_first, until_ms).positions_after(position)
    latest_ms = _END_OF_TIME_MS if until_ms is None else until_ms
    found: list[CartSummary] = []
    examined = 0
    while len(found) < limit and examined < _MAX_EXAMINED:
        entries = [IndexEntry(key, score) for score, key in islice(positions, limit - len(found))]
        examined += len(entries)
        if not entries:
            return CartPage(tuple(found), None)
        position = entries[-1].active_ms, entries[-1].key
        found += [
            cart
            for cart in _fetch_live_carts(nodes, keys, entries)
            if (cart.line_count or with_empty) and cart.updated_ms <= latest_ms
        ]
    return CartPage(tuple(found), None if position is None else f"{position[0]}~{position[1]}")


def _fetch_live_carts(
    nodes: Sequence[Node], keys: Keyspace, entries: list[IndexEntry]
) -> list[CartSummary]:
    """The live carts of these entries, in their order; the index is repaired on the way."""
    by_node: dict[int, list[IndexEntry]] = {}
    for entry in entries:
        by_node.setdefault(nodes.index(owner_of(nodes, entry.key)), []).append(entry)
    carts: dict[str, CartSummary] = {}
    for number, its_entries in by_node.items():
        states = list(fetch_entries(nodes[number], keys, its_entries))
        repair_index(nodes[number], states)
        carts.update((state.entry.key, state.cart) for state in states if state.cart is not None)
    return [carts[entry.key] for entry in entries if entry.key in carts]


def _read_cursor(text: str) -> Position:
    score, _, key = text.partition("~")
    if not (score.isascii() and score.isdigit() and len(score) < 17 and ":cart:" in key):
        raise InvalidCursorError("a page continues from the cursor that the one before ended with")
    return int(score), key


class _MergedIndexes:
    """The entries of all partitions in one order: a k-way merge of their sorted sets."""

    def __init__(
        self, nodes: Sequence[Node], keys: Keyspace, newest_first: bool, until_ms: int | None
    ) -> None:
        self._nodes, self._keys = nodes, keys
        self._newest_first, self._until_ms = newest_first, until_ms
        self._owners = [owner_of(nodes, keys.index(n)) for n in range(keys.partitions)]

    def positions_after(self, start: Position | None) -> Iterator[Position]:
        """The positions that follow this one; None: all."""
        first: dict[int, list[Position]] = {}
        for node in self._nodes:
            partitions = [n for n, owner in enumerate(self._owners) if owner is node]
            commands = [self._range(n, start, _FIRST_COUNT) for n in partitions]
            for n, reply in zip(partitions, node.pipeline(commands), strict=True):
                first[n] = self._parse(n, reply)
        each = (self._positions_in(n, start, first[n]) for n in first)
        return heapq.merge(*each, reverse=self._newest_first)

    def _positions_in(
        self, partition: int, start: Position | None, read: list[Position]
    ) -> Iterator[Position]:
        """The positions of one partition that follow `start`.

        `read` are the first ones from the score of `start` on. More are read from the last score
        on, not by rank: entries are added and removed meanwhile.
        """
        count = _FIRST_COUNT
        while True:
            new = [position for position in read if start is None or self._follows(position, start)]
            yield from new
            if len(read) < count:
                return
            start = new[-1] if new else start
            count = _NEXT_COUNT if new else 2 * count  # all that was read has the score of `start`
            (reply,) = self._owners[partition].pipeline([self._range(partition, start, count)])
            read = self._parse(partition, reply)

    def _follows(self, position: Position, start: Position) -> bool:
        return position < start if self._newest_first else position > start

    def _range(self, partition: int, start: Position | None, count: int) -> Command:
        key, tail = self._keys.index(partition), ("WITHSCORES", "LIMIT", 0, count)
        until: int | str = "+inf" if self._until_ms is None else self._until_ms
        if self._newest_first:
            latest = until if start is None else start[0]
            return ("ZREVRANGEBYSCORE", key, latest, "-inf", *tail)
        return ("ZRANGEBYSCORE", key, "-inf" if start is None else start[0], until, *tail)

    def _parse(self, partition: int, reply: Any) -> list[Position]:
        if isinstance(reply, Exception):  # not a sorted set: the doctor reports it
            return []
        return [
            (score, self._keys.indexed(partition, member)) for member, score in parse_scores(reply)
        ]
