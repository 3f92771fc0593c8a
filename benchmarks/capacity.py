"""What a deployment carries, by arithmetic: `python -m benchmarks.capacity` prints the tables.

Everything is computed from the figures in `MEASURED`, each with the command that takes it, and from
the habits of shoppers in `HABITS`, which are assumptions. Put in your own.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Iterable, Sequence

import msgspec

SLOTS = 16_384
WEEK = 604_800


class Measured(msgspec.Struct, frozen=True):
    """Figures of one small machine (two shared cores, Valkey 9), rounded to its disadvantage."""

    cart_bytes: int = 420
    """`make bench ARGS="memory"`: bytes used by a cart of five lines and its place in the index."""
    engine_change_us: float = 40
    """Processor time of the engine for one `POST /cart/items`, network and sync to disk included:
    its clock ticks in /proc while `make bench ARGS="service --only POST"` runs, by the requests."""
    engine_read_us: float = 4
    """The same for `GET /cart`."""
    worker_changes: int = 7_500
    """`make bench ARGS="service --only POST"`, 64 connections, one worker: a second."""
    worker_reads: int = 12_000
    """`make bench ARGS="service --only GET"`."""
    survey_seconds: float = 3.5
    """`ecart_server.cart_index.survey` of 100,000 carts."""
    sweep_seconds: float = 4.3
    """`ecart_server.cart_index.sweep` of 100,000 carts."""


class Habits(msgspec.Struct, frozen=True):
    """What is assumed of shoppers; each cart lives for a week."""

    changes: int = 6
    reads: int = 30
    peak: float = 5.0
    """How much more there is in the busiest hour than on average."""
    full: float = 0.6
    """How full an engine or a worker may be at the peak."""
    node_bytes: int = 24 * 2**30
    """Data that one engine holds: no more than a replica copies, or a rewrite saves, in minutes."""


MEASURED, HABITS = Measured(), Habits()


class Size(msgspec.Struct, frozen=True):
    """What so many live carts ask for. Rates are those of the peak, a second."""

    carts: int
    changes: float
    reads: float
    gigabytes: float
    by_memory: int
    by_work: int
    workers: int

    @property
    def shards(self) -> int:
        """Primaries of the cluster; each wants a replica as large as itself."""
        return max(self.by_memory, self.by_work)


def size(carts: int, measured: Measured = MEASURED, habits: Habits = HABITS) -> Size:
    """The size of a deployment with so many live carts."""
    begun = carts / WEEK * habits.peak
    changes, reads = begun * habits.changes, begun * habits.reads
    data = carts * measured.cart_bytes
    work = (changes * measured.engine_change_us + reads * measured.engine_read_us) / 1e6
    workers = changes / measured.worker_changes + reads / measured.worker_reads
    return Size(
        carts,
        changes,
        reads,
        data / 2**30,
        math.ceil(data / habits.node_bytes),
        math.ceil(work / habits.full),
        math.ceil(workers / habits.full),
    )


def fullest_shard(shards: int, partitions: int) -> float:
    """Carts on the fullest shard, over the mean: a partition is one slot, and slots are shared out.

    Exact for a cluster that has its slots in equal ranges.
    """
    counts = [0] * shards
    for partition in range(partitions):
        slot = binascii.crc_hqx(str(partition).encode(), 0) % SLOTS
        counts[slot * shards // SLOTS] += 1
    return max(counts) * shards / partitions


def sizes_table() -> str:
    """Live carts, and what they ask for."""
    rows = []
    for carts in (1_000_000, 100_000_000, 1_000_000_000):
        one = size(carts)
        rows.append(
            (
                f"{carts:,}",
                f"{one.changes:,.0f}",
                f"{one.reads:,.0f}",
                f"{one.gigabytes:,.1f} GiB",
                f"{one.by_memory}",
                f"{one.by_work}",
                f"{one.workers}",
            )
        )
    names = (
        "live carts", "changes a second", "reads a second", "memory", "engines, by memory",
        "engines, by work", "worker processes",
    )  # fmt: skip
    return _table(names, rows)


def shards_table() -> str:
    """How evenly partitions fall on shards."""
    rows = [
        (f"{shards}", *(f"{fullest_shard(shards, n):.2f}" for n in (1_024, 4_096, 16_384)))
        for shards in (1, 3, 6, 12, 24, 48)
    ]
    return _table(("shards", "1,024 partitions", "4,096", "16,384"), rows)


def walks_table() -> str:
    """How long it takes to look at all carts."""
    rows = []
    for carts in (1_000_000, 100_000_000, 1_000_000_000):
        spent = [carts / 100_000 * one for one in (MEASURED.survey_seconds, MEASURED.sweep_seconds)]
        rows.append((f"{carts:,}", *(_duration(seconds) for seconds in spent)))
    return _table(("live carts", "survey of all", "sweep"), rows)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 3600:.1f} h"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


TABLES = {"sizes": sizes_table, "shards": shards_table, "walks": walks_table}


if __name__ == "__main__":
    for table in TABLES.values():
        print(table(), end="\n\n")
