"""Counts per minute, beside the carts: a statistic of what the service's workers did.

A minute is a hash with a field per worker, which holds all that this worker has counted in it so
far. A worker writes its field as a whole and nobody else's, so a repeat adds nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.operations import Argument
from ecart_server.redis_admin.connections import Node

KEPT_MINUTES = 120
"""How long a minute is kept, from its end."""

# No operation on a cart, so it is not among the scripts of those. One call, so that no hash is
# ever without its expiry.
_PUT = (
    'redis.call("HSET", KEYS[1], ARGV[1], ARGV[2]) return redis.call("PEXPIREAT", KEYS[1], ARGV[3])'
)


class Counts(msgspec.Struct):
    """What was counted in a minute.

    `removals` are lines taken out, by whatever way, and clearings; the engine does not tell how
    many units went with them. Repeats count once, refusals only as `conflicts`.
    """

    units_added: int = 0
    removals: int = 0
    carts_begun: int = 0
    checkouts_begun: int = 0
    checkouts_completed: int = 0
    conflicts: int = 0


class Minute(msgspec.Struct, frozen=True):
    """A minute that began `begin` seconds after 1970, by the clocks of the workers."""

    begin: int
    counts: Counts


def minute_now(now: float | None = None) -> int:
    """The number of the running minute, of those since 1970."""
    return int(time.time() if now is None else now) // 60


def put_counts(
    keys: Keyspace, minute: int, worker: str, counts: Counts
) -> tuple[str, tuple[Argument, ...]]:
    """The key, and the command that says what a worker has counted in a minute so far."""
    key = keys.minute(minute)
    expires_ms = (minute + 1 + KEPT_MINUTES) * 60_000
    return key, ("EVAL", _PUT, 1, key, worker, _text(counts), expires_ms)


def recent_minutes(
    nodes: Sequence[Node], keys: Keyspace, count: int = 60, *, now: float | None = None
) -> list[Minute]:
    """The last minutes, oldest first; the last one is still running. Nothing counted: zeros.

    `nodes` are those of `open_nodes`. At most `KEPT_MINUTES` are kept. One round trip per node.

    Raises:
        StoreUnavailableError: an engine does not answer.
    """
    last = minute_now(now)
    wanted = {keys.minute(number): number for number in range(last - count + 1, last + 1)}
    found = dict.fromkeys(wanted.values(), ())
    for node in nodes:
        mine = [key for key in wanted if node.owns(key)]
        for key, reply in zip(mine, node.pipeline(("HVALS", key) for key in mine), strict=True):
            if isinstance(reply, Exception):
                raise StoreUnavailableError(str(reply)) from reply
            found[wanted[key]] = reply
    return [Minute(number * 60, _sum(texts)) for number, texts in found.items()]


def _text(counts: Counts) -> str:
    return "|".join(str(getattr(counts, name)) for name in Counts.__struct_fields__)


def _sum(texts: Iterable[bytes]) -> Counts:
    """What the workers counted; what a newer version counts besides is passed over."""
    total: Mapping[str, int] = dict.fromkeys(Counts.__struct_fields__, 0)
    for text in texts:
        counted = zip(Counts.__struct_fields__, text.split(b"|"), strict=False)
        total = {**total, **{name: total[name] + int(number) for name, number in counted}}
    return Counts(**total)
