"""The index compared with the carts themselves: what is missing is noted, what has gone forgotten.

It walks through all keys, so it is for the background and for operators, not for a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ecart.stores.redis.index import LIFETIME, note
from ecart.stores.redis.keys import Keyspace, place_in_index
from ecart.stores.redis.transport.wire import Command
from ecart_server.cart_index.index_reader import Entry, entries_of, look_at, mend
from ecart_server.redis_admin.connections import Node, owner_of, scan_pages

Progress = Callable[[int], None]


class Sweep(msgspec.Struct, frozen=True):
    """What a sweep found: live carts, how many of them had not been noted, entries without one."""

    carts: int
    added: int
    forgotten: int
    seconds: float


def sweep(
    nodes: Sequence[Node], keys: Keyspace, *, progress: Progress = lambda keys_seen: None
) -> Sweep:
    """After it every cart that lived all the time is in the index, and none that was over before.

    Raises:
        StoreUnavailableError: an engine does not answer.
    """
    began = time.monotonic()
    seen = carts = added = 0
    for node in nodes:
        for page in scan_pages(node, keys.pattern):
            seen += len(page)
            live, new = _note_missing(node, keys, page)
            carts, added = carts + live, added + new
            progress(seen)
    forgotten = 0
    for partition in range(keys.partitions):
        forgotten += _mend_index(nodes, keys, partition)
        progress(seen)
    return Sweep(carts, added, forgotten, round(time.monotonic() - began, 3))


def _note_missing(node: Node, keys: Keyspace, page: Sequence[bytes]) -> tuple[int, int]:
    entries = [Entry(key, 0) for key in _carts_among(keys, page)]
    looks = [look for look in look_at(node, keys, entries) if look.cart is not None]
    scores = node.pipeline([("ZSCORE", *place_in_index(look.entry.key)) for look in looks])
    missing: list[Command] = []
    for look, score in zip(looks, scores, strict=True):
        if score is None and look.cart is not None:
            missing += note(look.entry.key, look.cart.updated_ms)
    if missing:
        node.pipeline(missing)
    return len(looks), len(missing) // 2


def _carts_among(keys: Keyspace, page: Sequence[bytes]) -> Iterator[str]:
    for key in dict.fromkeys(page):
        name = key.decode(errors="replace")
        if keys.names_cart(name):
            yield name


def _mend_index(nodes: Sequence[Node], keys: Keyspace, partition: int) -> int:
    """Forgets the dead, and gives the index its time to live; how many were forgotten."""
    node, forgotten = owner_of(nodes, keys.index(partition)), 0
    for entries in entries_of(node, keys, partition):
        forgotten += mend(node, look_at(node, keys, entries))
    node.call("EXPIRE", keys.index(partition), LIFETIME)
    return forgotten
