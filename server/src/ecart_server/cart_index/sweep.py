"""Compares the index with the carts: adds the entries that are missing, removes the dead ones.

It walks through all keys, so it is for the background and for operators, not for a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from ecart.stores.redis.index import LIFETIME, note
from ecart.stores.redis.keys import Keyspace, place_in_index
from ecart.stores.redis.transport.wire import Command
from ecart_server.cart_index.index_reader import (
    IndexEntry,
    fetch_entries,
    repair_index,
    scan_index,
)
from ecart_server.redis_admin.connections import Node, owner_of, scan_pages


class Sweep(msgspec.Struct, frozen=True):
    """What a sweep did: live carts found, missing entries added, dead entries removed."""

    carts: int
    added: int
    forgotten: int
    seconds: float


def sweep(
    nodes: Sequence[Node],
    keys: Keyspace,
    *,
    progress: Callable[[int], None] = lambda keys_seen: None,
) -> Sweep:
    """Repairs the whole index: every cart that lives throughout is in it afterwards, and none that
    was over before.

    Raises:
        StoreUnavailableError: an engine does not answer.
    """
    began = time.monotonic()
    seen = carts = added = forgotten = 0
    for node in nodes:
        for page in scan_pages(node, keys.pattern):
            seen += len(page)
            live, new = _add_missing(node, keys, page)
            carts, added = carts + live, added + new
            progress(seen)
    for partition in range(keys.partitions):
        node = owner_of(nodes, keys.index(partition))
        for entries in scan_index(node, keys, partition):
            forgotten += repair_index(node, fetch_entries(node, keys, entries))
        node.call("EXPIRE", keys.index(partition), LIFETIME)
        progress(seen)
    return Sweep(carts, added, forgotten, round(time.monotonic() - began, 3))


def _add_missing(node: Node, keys: Keyspace, page: Sequence[bytes]) -> tuple[int, int]:
    """Adds the missing entries of these keys; how many carts live, how many lacked an entry."""
    names = (key.decode(errors="replace") for key in dict.fromkeys(page))
    entries = [IndexEntry(name, 0) for name in names if keys.names_cart(name)]
    live = [state for state in fetch_entries(node, keys, entries) if state.cart is not None]
    scores = node.pipeline([("ZSCORE", *place_in_index(state.entry.key)) for state in live])
    missing: list[Command] = []
    for state, score in zip(live, scores, strict=True):
        if score is None and state.cart is not None:
            missing += note(state.entry.key, state.cart.updated_ms)
    if missing:
        node.pipeline(missing)
    return len(live), len(missing) // 2
