"""What goes on at this moment: the carts that were changed last, and how much an engine is asked.

Rates are taken between two looks, so the first look has none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from ecart.model import CartSummary
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index.listing import list_carts
from ecart_server.cart_index.survey import Listed, index_sizes, listed
from ecart_server.redis_admin.connections import Node, with_retries

_CHANGES = ("cmdstat_evalsha", "cmdstat_eval")
_SPARE = 2
"""Times as many carts are looked at as are shown: the index is true to the minute only."""


class Active(msgspec.Struct, frozen=True):
    """A cart, and the changes a second that it has seen since the look before."""

    cart: Listed
    changes: float | None


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """One look. `indexed`: entries in all indexes, dead ones included; `taken_ms`: the engine's
    time. `changes` and `commands` are those of the engines a second, whoever sent them: a change
    of a cart is a script call. `memory`: bytes."""

    taken_ms: int
    indexed: int
    changes: float | None
    commands: float | None
    memory: int
    carts: tuple[Active, ...]


class _Counts(msgspec.Struct, frozen=True):
    at: float
    changes: int
    commands: int
    memory: int


class Watch:
    """Looks again and again, and remembers the look before."""

    def __init__(self, nodes: Sequence[Node], keys: Keyspace, limit: int) -> None:
        self._nodes = nodes
        self._keys = keys
        self._limit = limit
        self._counts: _Counts | None = None
        self._versions: dict[str, int] = {}

    def look(self) -> Pulse:
        """What there is now, the carts by their last change, newest first.

        Raises:
            StoreUnavailableError: an engine does not answer.
        """
        # What a look asks itself is not counted: from the end of one to the beginning of the next.
        before, now = self._counts, _counts(self._nodes)
        passed = now.at - before.at if before else 0.0
        seconds, micros = self._nodes[0].call("TIME")
        carts = self._last_changed()
        known, self._versions = self._versions, {cart.cart_id: cart.version for cart in carts}
        pulse = Pulse(
            taken_ms=int(seconds) * 1000 + int(micros) // 1000,
            indexed=sum(index_sizes(self._nodes, self._keys)),
            changes=_rate(before.changes if before else None, now.changes, passed),
            commands=_rate(before.commands if before else None, now.commands, passed),
            memory=now.memory,
            carts=tuple(
                Active(listed(cart), _rate(known.get(cart.cart_id), cart.version, passed))
                for cart in carts[: self._limit]
            ),
        )
        self._counts = _counts(self._nodes)
        return pulse

    def _last_changed(self) -> list[CartSummary]:
        page = list_carts(
            self._nodes, self._keys, limit=_SPARE * self._limit, newest_first=True, with_empty=True
        )
        return sorted(page.carts, key=lambda cart: (-cart.updated_ms, cart.cart_id))


def _rate(before: int | None, now: int, seconds: float) -> float | None:
    """What came a second; None if it is not known. A counter that was reset counts from 0."""
    if before is None or not seconds:
        return None
    return round(max(0, now - before if now >= before else now) / seconds, 1)


def _counts(nodes: Sequence[Node]) -> _Counts:
    changes = commands = memory = 0
    for node in nodes:
        stats: dict[str, Any] = with_retries(node.client.info)
        by_command: dict[str, Any] = with_retries(partial(node.client.info, "commandstats"))
        changes += sum(int(by_command.get(name, {}).get("calls", 0)) for name in _CHANGES)
        commands += int(stats.get("total_commands_processed", 0))
        memory += int(stats.get("used_memory", 0))
    return _Counts(time.monotonic(), changes, commands, memory)
