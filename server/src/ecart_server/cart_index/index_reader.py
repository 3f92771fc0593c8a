"""Looking at the carts that an index names: those that live are told, the others forgotten."""

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

AT_ONCE = 500
"""Carts that are asked for in one packet."""

_FORGET = load_script("forget_cart", "ecart_server.cart_index")


class Entry(msgspec.Struct, frozen=True):
    """What an index says: a cart's key, and when it was noted, in milliseconds since 1970."""

    key: str
    noted_ms: int


class Look(msgspec.Struct, frozen=True):
    """What became of an entry: a live cart, damaged data, or (neither) nothing."""

    entry: Entry
    cart: CartSummary | None = None
    is_damaged: bool = False

    @property
    def is_over(self) -> bool:
        """Whether there is no cart any more."""
        return self.cart is None and not self.is_damaged


def entries_of(node: Node, keys: Keyspace, partition: int) -> Iterator[list[Entry]]:
    """All entries of a partition's index, some at a time; one that moves may come twice."""
    cursor: int | bytes = 0
    while True:
        (reply,) = node.pipeline([("ZSCAN", keys.index(partition), cursor, "COUNT", AT_ONCE)])
        if isinstance(reply, Exception):  # something else is under the key: the doctor tells
            return
        cursor, found = reply
        yield [
            Entry(keys.indexed(partition, member), noted) for member, noted in parse_scores(found)
        ]
        if int(cursor) == 0:
            return


def find(nodes: Sequence[Node], keys: Keyspace, cart_id: str) -> CartSummary | None:
    """The summary of this cart, if it lives.

    Raises:
        CorruptCartError: it cannot be read.
        StoreUnavailableError: the engine does not answer.
    """
    entry = Entry(keys.cart(cart_id), 0)
    (look,) = look_at(owner_of(nodes, entry.key), keys, [entry])
    if look.is_damaged:
        raise CorruptCartError(entry.key, "m")
    return look.cart


def look_at(node: Node, keys: Keyspace, entries: Sequence[Entry]) -> Iterator[Look]:
    """What became of these carts, all of one node."""
    for start in range(0, len(entries), AT_ONCE):
        part = entries[start : start + AT_ONCE]
        replies = node.pipeline([("HMGET", entry.key, *HEADER) for entry in part])
        for entry, values in zip(part, replies, strict=True):
            yield _look(keys, entry, values)


def _look(keys: Keyspace, entry: Entry, values: Any) -> Look:
    if isinstance(values, Exception):
        return Look(entry, is_damaged=True)
    try:
        fields: dict[bytes, Any] = dict(zip(HEADER, values, strict=True))
        cart = read_summary(entry.key, keys.cart_id(entry.key), Rules().currency, fields)
    except (CorruptCartError, UnicodeDecodeError):
        return Look(entry, is_damaged=True)
    return Look(entry, cart if cart.exists else None)


def mend(node: Node, looks: Iterable[Look]) -> int:
    """Puts right what an index says of these carts; how many of them it has forgotten.

    An entry that was written anew meanwhile stays: the cart may live again. One that is behind by
    no more than it may be stays, too: who goes from page to page would meet its cart again.
    """
    noted: list[Command] = []
    forgotten: list[Command] = []
    for look in looks:
        key, noted_ms = look.entry.key, look.entry.noted_ms
        if look.is_over:
            forgotten.append(("EVAL", _FORGET.text, 1, *place_in_index(key), noted_ms))
        elif look.cart is not None and look.cart.updated_ms > noted_ms + EVERY * 1000:
            noted += note(key, look.cart.updated_ms)
    if not noted and not forgotten:
        return 0
    replies = node.pipeline([*forgotten, *noted])[: len(forgotten)]
    return sum(int(reply) for reply in replies if isinstance(reply, int))
