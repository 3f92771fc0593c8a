"""Samples the present activity: the carts that changed last, and how busy the engines are.

Rates are computed between two samples, so the first one has none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index.listing import list_carts
from ecart_server.cart_index.survey import CartRow, cart_row, index_sizes
from ecart_server.redis_admin.connections import Node, with_retries

_CHANGES = ("cmdstat_evalsha", "cmdstat_eval")
_READ_AHEAD = 2
"""Times as many carts are read as are shown: the order of the index is true to the minute only."""


class ActiveCart(msgspec.Struct, frozen=True):
    """A cart, and its changes a second since the sample before; None if it was not in that one."""

    cart: CartRow
    changes: float | None


class ActivitySample(msgspec.Struct, frozen=True, kw_only=True):
    """The activity at one time. `taken_ms`: the engine's clock, milliseconds since 1970.

    `indexed`: entries in all indexes, dead ones included. `changes` and `commands`: what the
    engines executed a second, for any client; a change of a cart is a script call. `memory`: bytes.
    """

    taken_ms: int
    indexed: int
    changes: float | None
    commands: float | None
    memory: int
    carts: tuple[ActiveCart, ...]


class _Counts(msgspec.Struct, frozen=True):
    at: float
    changes: int
    commands: int
    memory: int


class ActivityMonitor:
    """Takes samples one after the other, and remembers the last one for the rates of the next."""

    def __init__(self, nodes: Sequence[Node], keys: Keyspace, limit: int) -> None:
        self._nodes = nodes
        self._keys = keys
        self._limit = limit
        self._counts: _Counts | None = None
        self._versions: dict[str, int] = {}

    def sample(self) -> ActivitySample:
        """The activity now, with at most `limit` carts, those that changed last first.

        Raises:
            StoreUnavailableError: an engine does not answer.
        """
        # Rates leave out the commands of the sampling itself: they span from the end of one sample
        # to the beginning of the next.
        before, now = self._counts, _counts(self._nodes)
        elapsed = now.at - before.at if before else 0.0
        seconds, micros = self._nodes[0].call("TIME")
        limit = _READ_AHEAD * self._limit
        page = list_carts(self._nodes, self._keys, limit=limit, newest_first=True, with_empty=True)
        carts = sorted(page.carts, key=lambda cart: (-cart.updated_ms, cart.cart_id))
        known, self._versions = self._versions, {cart.cart_id: cart.version for cart in carts}
        sample = ActivitySample(
            taken_ms=int(seconds) * 1000 + int(micros) // 1000,
            indexed=sum(index_sizes(self._nodes, self._keys)),
            changes=_rate(before.changes if before else None, now.changes, elapsed),
            commands=_rate(before.commands if before else None, now.commands, elapsed),
            memory=now.memory,
            carts=tuple(
                ActiveCart(cart_row(cart), _rate(known.get(cart.cart_id), cart.version, elapsed))
                for cart in carts[: self._limit]
            ),
        )
        self._counts = _counts(self._nodes)
        return sample


def _rate(before: int | None, now: int, seconds: float) -> float | None:
    """The increase a second; None if it is unknown. A counter that was reset counts from 0."""
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
