"""Carts in the order of their last activity, a page at a time."""

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
from ecart_server.cart_index.index_reader import Entry, look_at, mend
from ecart_server.redis_admin.connections import Node, owner_of, parse_scores

_AT_FIRST = 8
"""Entries that each partition is asked for to begin with; then more of those that need it."""
_MORE = 64
_MOST_LOOKED = 5_000
"""Entries that a page looks at: where most are dead, it is shorter rather than late."""
_FOR_EVER = 2**53

Place = tuple[int, str]
"""Where an entry is in the order of all: when it was noted, and its key among those of one time."""


class InvalidCursorError(EcartError):
    """The cursor is not one that a page ended with."""

    code = "invalid_cursor"


class Page(msgspec.Struct, frozen=True):
    """Live carts in order, and the cursor that the next page goes on from; None: the last page.

    One that is not the last may hold fewer carts than were asked for, or none: see the cursor.
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
) -> Page:
    """The carts whose last change was `until_ms` (since 1970) or before, longest idle first.

    A cart that nobody touches stands on one page exactly, whatever happens to others meanwhile.
    With `newest_first` the order is the other way round, true to the minute.

    Raises:
        InvalidCursorError: `after` was not given by a page.
        StoreUnavailableError: an engine does not answer.
    """
    place = None if after is None else _read_cursor(after)
    places = _Order(nodes, keys, newest_first, until_ms).places_after(place)
    latest_ms = _FOR_EVER if until_ms is None else until_ms
    found: list[CartSummary] = []
    looked = 0
    while len(found) < limit and looked < _MOST_LOOKED:
        entries = [Entry(key, noted) for noted, key in islice(places, limit - len(found))]
        looked += len(entries)
        if not entries:
            return Page(tuple(found), None)
        place = entries[-1].noted_ms, entries[-1].key
        found += [
            cart
            for cart in _live(nodes, keys, entries)
            if (cart.line_count or with_empty) and cart.updated_ms <= latest_ms
        ]
    return Page(tuple(found), None if place is None else f"{place[0]}~{place[1]}")


def _live(nodes: Sequence[Node], keys: Keyspace, entries: list[Entry]) -> list[CartSummary]:
    """The carts of these entries, in their order; the indexes are mended on the way."""
    of_nodes: dict[int, list[Entry]] = {}
    for entry in entries:
        of_nodes.setdefault(nodes.index(owner_of(nodes, entry.key)), []).append(entry)
    carts: dict[str, CartSummary] = {}
    for i, those in of_nodes.items():
        looks = list(look_at(nodes[i], keys, those))
        mend(nodes[i], looks)
        carts.update((look.entry.key, look.cart) for look in looks if look.cart is not None)
    return [carts[entry.key] for entry in entries if entry.key in carts]


def _read_cursor(text: str) -> Place:
    time, _, key = text.partition("~")
    if not (time.isascii() and time.isdigit() and len(time) < 17 and ":cart:" in key):
        raise InvalidCursorError("a page goes on from the cursor that the one before ended with")
    return int(time), key


class _Order:
    """The entries of all partitions in one order: the merge of what each of them gives."""

    def __init__(
        self, nodes: Sequence[Node], keys: Keyspace, newest_first: bool, until_ms: int | None
    ) -> None:
        self._nodes, self._keys = nodes, keys
        self._newest_first, self._until_ms = newest_first, until_ms
        self._owners = [owner_of(nodes, keys.index(n)) for n in range(keys.partitions)]

    def places_after(self, place: Place | None) -> Iterator[Place]:
        """The places that come after this one; None: all."""
        first: dict[int, list[Place]] = {}
        for node in self._nodes:
            those = [n for n, owner in enumerate(self._owners) if owner is node]
            commands = [self._range(n, place, _AT_FIRST) for n in those]
            for n, reply in zip(those, node.pipeline(commands), strict=True):
                first[n] = self._placed(n, reply)
        each = (self._places(n, place, first[n]) for n in first)
        return heapq.merge(*each, reverse=self._newest_first)

    def _places(self, partition: int, place: Place | None, read: list[Place]) -> Iterator[Place]:
        """Those of one partition; what was read begins at the time of the place, maybe before it.

        It goes on from where it was, not by number: entries come and go meanwhile.
        """
        count = _AT_FIRST
        while True:
            new = [found for found in read if place is None or self._follows(found, place)]
            yield from new
            if len(read) < count:
                return
            place = new[-1] if new else place
            count = _MORE if new else 2 * count  # or all of them were of the time of the place
            (reply,) = self._owners[partition].pipeline([self._range(partition, place, count)])
            read = self._placed(partition, reply)

    def _follows(self, found: Place, place: Place) -> bool:
        return found < place if self._newest_first else found > place

    def _range(self, partition: int, place: Place | None, count: int) -> Command:
        key, tail = self._keys.index(partition), ("WITHSCORES", "LIMIT", 0, count)
        until: int | str = "+inf" if self._until_ms is None else self._until_ms
        if self._newest_first:
            latest = until if place is None else place[0]
            return ("ZREVRANGEBYSCORE", key, latest, "-inf", *tail)
        return ("ZRANGEBYSCORE", key, "-inf" if place is None else place[0], until, *tail)

    def _placed(self, partition: int, reply: Any) -> list[Place]:
        if isinstance(reply, Exception):  # something else is under the key: the doctor tells
            return []
        return [
            (noted, self._keys.indexed(partition, member)) for member, noted in parse_scores(reply)
        ]
