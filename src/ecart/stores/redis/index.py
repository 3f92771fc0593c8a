"""The index of carts by their last activity, kept up to date beside the changes.

Redis cannot list keys by age, and a scan of all keys costs as much as there are carts. So each
partition has a sorted set of its carts by the time of their last change. It is a secondary index
that is allowed to be wrong, because that makes it nearly free:

- It is written by a `ZADD` in the packet of a change, and not by the change's script: a script
  with a second key would be refused while a cluster moves its slot (decision 30).
- A process writes the entry of a cart at most once a minute.
- No caller waits for it, and its failure fails nothing. An entry may be a minute behind, missing,
  or left over from a cart that has expired.

Readers of the index read the carts it names as well, and repair entries that turn out to be
wrong. A periodic sweep over the keys adds those that are missing.
"""

from __future__ import annotations

import time
from typing import Any, Literal
from weakref import WeakKeyDictionary

from ecart.stores.redis.keys import place_in_index
from ecart.stores.redis.transport.wire import Command

EVERY = 60.0
"""Seconds for which a process does not write the same cart's entry again."""

LIFETIME = 400 * 86_400
"""Seconds that an index outlives its latest entry: longer than any cart lives."""

Effect = Literal["creates", "touches", "ends", "removes", "ignores"]
"""What a change does to the cart's entry: `creates` it if there is none; `touches` it only if it is
there, so that a change that finds no cart leaves none; `ends`: writes nothing, and the next change
writes at once; `removes` it; `ignores` it."""

_MOST = 50_000
"""Carts whose entries a process remembers to have written; then it forgets all of them."""


class Index:
    """The entries that this process has written lately."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, bool], float] = {}

    def commands(self, key: str, effect: Effect) -> tuple[Command, ...]:
        """The commands to send with a change of the cart: mostly none.

        Of several changes at the same time only one gets them.
        """
        if effect == "ignores":
            return ()
        if effect in ("ends", "removes"):
            self.forget(key)
            return () if effect == "ends" else (("ZREM", *place_in_index(key)),)
        now, creates = time.monotonic(), effect == "creates"
        if now < self._written.get((key, creates), 0.0):
            return ()
        if len(self._written) >= _MOST:
            self._written.clear()
        self._written[key, creates] = now + EVERY
        return note(key, time.time_ns() // 1_000_000, creates=creates)

    def forget(self, key: str) -> None:
        """Lets the next change write the cart's entry again; this one's may be lost."""
        self._written.pop((key, True), None)
        self._written.pop((key, False), None)


def note(key: str, active_ms: int, *, creates: bool = True) -> tuple[Command, ...]:
    """The commands that write a cart's entry, in milliseconds since 1970; a later one stays.

    Without `creates`, only if the cart has an entry.
    """
    index, member = place_in_index(key)
    how = ("GT",) if creates else ("XX", "GT")
    return ("ZADD", index, *how, active_ms, member), ("EXPIRE", index, LIFETIME)


# By client, since handles, and stores with them, are made for each request.
_indexes: WeakKeyDictionary[Any, Index] = WeakKeyDictionary()


def index_of(client: Any) -> Index:
    """The entries written over a client; a store that opens its own, None, keeps its own."""
    if client is None:
        return Index()
    try:
        return _indexes.setdefault(client, Index())
    except TypeError:  # it has no weak references
        return Index()
