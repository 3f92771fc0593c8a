"""The index of carts by their last activity: what goes along with a change to keep it.

It goes in the same packet as the change, at most once a minute for a cart and process, and its
failure is nobody's: what reads an index looks at the carts themselves, and a sweep finds what is
missing. It is not written by the change's script, whose single key lets it run on while a cluster
moves its slot.
"""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

from ecart.operations import (
    AddItem,
    Change,
    Destroy,
    EndMerge,
    MergeLines,
    Prolong,
    Purge,
    PutLines,
)
from ecart.stores.redis.keys import place_in_index

Command = tuple[str | int, ...]

EVERY = 60.0
"""Seconds for which a cart that was noted is not noted again by the same process."""

LIFETIME = 400 * 86_400
"""Seconds that an index outlives the last cart noted in it: more than any cart is given."""

_ENDINGS = (Destroy, EndMerge, Purge)
_MAKERS = (AddItem, MergeLines, PutLines)
"""Only what makes carts makes entries: of a change that finds no cart nothing is to stay."""
_MOST = 50_000
"""Carts that a process remembers to have noted; then it begins anew."""


class Index:
    """What this process has noted of an engine's carts lately."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, bool], float] = {}

    def commands(self, key: str, change: Change) -> tuple[Command, ...]:
        """What is to be sent along with a change of the cart: mostly nothing.

        Of several changes at once only one has it.
        """
        makes = isinstance(change, _MAKERS)
        if not makes:
            if isinstance(change, _ENDINGS):
                self.not_sent(key)  # whatever comes of this cart later is noted again
                return _forget(key) if isinstance(change, Purge) else ()
            if isinstance(change, Prolong):  # a look, and nobody's activity
                return ()
        now = time.monotonic()
        if now < self._noted.get((key, makes), 0.0):
            return ()
        if len(self._noted) >= _MOST:
            self._noted.clear()
        self._noted[key, makes] = now + EVERY
        return note(key, time.time_ns() // 1_000_000, makes=makes)

    def not_sent(self, key: str) -> None:
        """The change failed, and what went along with it perhaps, too."""
        self._noted.pop((key, True), None)
        self._noted.pop((key, False), None)


def note(key: str, active_ms: int, *, makes: bool = True) -> tuple[Command, ...]:
    """The commands that note a cart's activity, milliseconds since 1970; the latest stays.

    Without `makes`, only a cart that is in the index already.
    """
    index, member = place_in_index(key)
    how = ("GT",) if makes else ("XX", "GT")
    return ("ZADD", index, *how, active_ms, member), ("EXPIRE", index, LIFETIME)


def _forget(key: str) -> tuple[Command, ...]:
    index, member = place_in_index(key)
    return (("ZREM", index, member),)


# Found again by the client, since handles, and stores with them, are made for each request.
_indexes: WeakKeyDictionary[Any, Index] = WeakKeyDictionary()


def index_of(client: Any) -> Index:
    """What was noted over a client."""
    try:
        return _indexes.setdefault(client, Index())
    except TypeError:  # one that cannot be remembered
        return Index()


def noted_over(client: Any) -> Index:
    """A client's index; what opens its own clients keeps one of its own, too."""
    return Index() if client is None else index_of(client)
