"""What shoppers did per minute, as stored in the engine beside the carts.

A minute is a hash with a field per worker, which holds all that this worker has counted in it so
far. A worker overwrites its own field and touches no other, so that a retry counts nothing twice.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import astuple

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.operations import Argument
from ecart_server.redis_admin.connections import Node

KEPT_MINUTES = 120
"""How long a minute is stored, from its end."""

# One script call for both commands, so that no hash is ever without its expiry.
_PUT = (
    'redis.call("HSET", KEYS[1], ARGV[1], ARGV[2]) return redis.call("PEXPIREAT", KEYS[1], ARGV[3])'
)


class Counts(msgspec.Struct, frozen=True):
    """What shoppers did in some time: the effects of their changes, and conflicts.

    `removals` are lines taken out, and carts cleared; the engine does not return how many units
    went with them. Repeats count once, refusals only as `conflicts`.
    """

    units_added: int = 0
    removals: int = 0
    carts_begun: int = 0
    checkouts_begun: int = 0
    checkouts_completed: int = 0
    conflicts: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(operator.add, astuple(self), astuple(other)))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*map(operator.sub, astuple(self), astuple(other)))


class Minute(msgspec.Struct, frozen=True):
    """The counts of one minute. `begin` is seconds since 1970, by the clocks of the workers."""

    begin: int
    counts: Counts


def minute_now(now: float | None = None) -> int:
    """The number of whole minutes since 1970."""
    return int(time.time() if now is None else now) // 60


def put_counts(
    keys: Keyspace, minute: int, worker: str, counts: Counts
) -> tuple[str, tuple[Argument, ...]]:
    """The key and the command that store what a worker has counted in a minute so far."""
    key, text = keys.minute(minute), "|".join(map(str, astuple(counts)))
    expires_ms = (minute + 1 + KEPT_MINUTES) * 60_000
    return key, ("EVAL", _PUT, 1, key, worker, text, expires_ms)


def recent_minutes(
    nodes: Sequence[Node], keys: Keyspace, count: int = 60, *, now: float | None = None
) -> list[Minute]:
    """The last `count` minutes, oldest first, up to the one that is still running.

    `nodes` are those of `open_nodes`, `now` is seconds since 1970. A minute in which nothing was
    counted, or that is older than `KEPT_MINUTES`, is all zeros. One round trip per node.

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


def _sum(fields: Iterable[bytes]) -> Counts:
    """The sum over all workers. Counts that a newer version appends are ignored."""
    total = Counts()
    for field in fields:
        numbers = map(int, field.split(b"|"))
        total += Counts(**dict(zip(Counts.__struct_fields__, numbers, strict=False)))
    return total
