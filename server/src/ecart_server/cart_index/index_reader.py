"""Reads entries of the index, fetches the carts that they name, and repairs what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ecart.errors import CorruptCartError
from ecart.model import CartSummary
from ecart.operations import Rules
from ecart.stores.redis.codec import HEADER, read_summary
from ecart.stores.redis.index import EVERY, note
from ecart.stores.redis.keys import Keyspace, place_in_index
from ecart.stores.redis.scripts import load_script
from ecart.stores.redis.transport.wire import Command
from ecart_server.redis_admin.connections import Node, owner_of, parse_scores

BATCH_ENTRIES = 500
"""Entries that are read, and carts that are fetched, in one round trip."""

_FORGET = load_script("forget_cart", "ecart_server.cart_index")


class IndexEntry(msgspec.Struct, frozen=True):
    """What an index says: a cart's key and its last activity, in milliseconds since 1970."""

    key: str
    active_ms: int


class EntryState(msgspec.Struct, frozen=True):
    """What an entry's key holds: a live cart, data that cannot be read, or (neither) no cart."""

    entry: IndexEntry
    cart: CartSummary | None = None
    is_damaged: bool = False

    @property
    def is_dead(self) -> bool:
        """Whether the cart is gone."""
        return self.cart is None and not self.is_damaged


def scan_index(node: Node, keys: Keyspace, partition: int) -> Iterator[list[IndexEntry]]:
    """All entries of a partition's index, page by page; an entry may be on two pages."""
    cursor: int | bytes = 0
    while True:
        command = ("ZSCAN", keys.index(partition), cursor, "COUNT", BATCH_ENTRIES)
        (reply,) = node.pipeline([command])
        if isinstance(reply, Exception):  # not a sorted set: the doctor reports it
            return
        cursor, found = reply
        yield [
            IndexEntry(keys.indexed(partition, member), active_ms)
            for member, active_ms in parse_scores(found)
        ]
        if int(cursor) == 0:
            return


def find_cart(nodes: Sequence[Node], keys: Keyspace, cart_id: str) -> CartSummary | None:
    """The summary of a cart by its id, read without the index; None if it does not exist.

    Raises:
        CorruptCartError: it cannot be read.
        StoreUnavailableError: the engine does not answer.
    """
    entry = IndexEntry(keys.cart(cart_id), 0)
    (state,) = fetch_entries(owner_of(nodes, entry.key), keys, [entry])
    if state.is_damaged:
        raise CorruptCartError(entry.key, "m")
    return state.cart


def fetch_entries(
    node: Node, keys: Keyspace, entries: Sequence[IndexEntry]
) -> Iterator[EntryState]:
    """Fetches the carts of these entries, all of one node, in their order.

    Raises:
        StoreUnavailableError: the engine does not answer.
    """
    for start in range(0, len(entries), BATCH_ENTRIES):
        batch = entries[start : start + BATCH_ENTRIES]
        replies = node.pipeline([("HMGET", entry.key, *HEADER) for entry in batch])
        for entry, values in zip(batch, replies, strict=True):
            yield _read_entry(keys, entry, values)


def _read_entry(keys: Keyspace, entry: IndexEntry, values: Any) -> EntryState:
    if isinstance(values, Exception):
        return EntryState(entry, is_damaged=True)
    try:
        fields: dict[bytes, Any] = dict(zip(HEADER, values, strict=True))
        cart = read_summary(entry.key, keys.cart_id(entry.key), Rules().currency, fields)
    except (CorruptCartError, UnicodeDecodeError):
        return EntryState(entry, is_damaged=True)
    return EntryState(entry, cart if cart.exists else None)


def repair_index(node: Node, states: Iterable[EntryState]) -> int:
    """Removes dead entries and updates those that are behind; returns how many were removed.

    An entry stays if it was written again in between, since the cart may exist again. It also stays
    if it is behind by no more than the index may be: updating it would move the cart to a later
    page, and a reader on his way through the pages would get it twice.
    """
    removals: list[Command] = []
    updates: list[Command] = []
    for state in states:
        key, active_ms = state.entry.key, state.entry.active_ms
        if state.is_dead:
            removals.append(("EVAL", _FORGET.text, 1, *place_in_index(key), active_ms))
        elif state.cart is not None and state.cart.updated_ms > active_ms + EVERY * 1000:
            updates += note(key, state.cart.updated_ms)
    if not removals and not updates:
        return 0
    replies = node.pipeline([*removals, *updates])[: len(removals)]
    return sum(int(reply) for reply in replies if isinstance(reply, int))
