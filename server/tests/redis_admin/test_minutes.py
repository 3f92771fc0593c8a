"""Counts per minute: each worker's counted once, however often it writes them, and gone in time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ecart import RedisStore, StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor import examine
from ecart_server.observability.minutes import Counts, minute_now, put_counts, recent_minutes
from ecart_server.redis_admin.connections import Node, open_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines

KEYS = Keyspace("shop")


@pytest.fixture
def nodes() -> Iterator[Callable[[str], list[Node]]]:
    opened: list[Node] = []

    def open_them(url: str) -> list[Node]:
        opened.extend(open_nodes(url))
        return opened

    yield open_them
    for node in opened:
        node.client.close()


def write(store: RedisStore, minute: int, worker: str, counts: Counts) -> None:
    store.send(*put_counts(KEYS, minute, worker, counts))


def test_what_workers_counted_is_added_up(
    any_engine: Engine, nodes: Callable[[str], list[Node]]
) -> None:
    """A worker that writes again says what it has counted by then; others are added."""
    minute = minute_now()
    store = RedisStore(any_engine.url)

    write(store, minute, "worker-aaaa", Counts(units_added=2))
    write(store, minute, "worker-aaaa", Counts(units_added=5, carts_begun=1))
    write(store, minute, "worker-aaaa", Counts(units_added=5, carts_begun=1))
    write(store, minute, "worker-bbbb", Counts(units_added=1, conflicts=3))
    write(store, minute - 2, "worker-bbbb", Counts(removals=4))
    store.close()

    found = recent_minutes(nodes(any_engine.url), KEYS, 3, now=minute * 60 + 59)
    assert [minute.begin for minute in found] == [
        (minute - 2) * 60,
        (minute - 1) * 60,
        minute * 60,
    ]
    assert [minute.counts for minute in found] == [
        Counts(removals=4),
        Counts(),
        Counts(units_added=6, carts_begun=1, conflicts=3),
    ]


def test_a_minute_is_kept_for_two_hours(engine: Engine) -> None:
    """From its end, whenever it is written; what is older is gone at once."""
    minute = minute_now()
    store = RedisStore(engine.url)

    write(store, minute - 60, "worker-aaaa", Counts(units_added=1))
    write(store, minute - 122, "worker-aaaa", Counts(units_added=1))
    store.close()

    with engine.connected() as client:
        assert client.keys() == [KEYS.minute(minute - 60).encode()]
        # Of a minute that began an hour ago; this one may be ending just now, or have ended.
        assert 60 * 60 - 10 < client.ttl(KEYS.minute(minute - 60)) <= 61 * 60


def test_on_a_cluster(engines: Engines, nodes: Callable[[str], list[Node]]) -> None:
    """Minutes are in many slots; each is found."""
    cluster = engines.acquire_cluster()
    url = f"redis+cluster://127.0.0.1:{cluster.port}"
    minute = minute_now()
    store = RedisStore(url)

    for back in range(10):
        write(store, minute - back, "worker-aaaa", Counts(units_added=back))
    store.close()

    found = recent_minutes(nodes(url), KEYS, 10, now=minute * 60)
    assert [minute.counts.units_added for minute in found] == list(range(9, -1, -1))


def test_counts_of_a_newer_version(engine: Engine, nodes: Callable[[str], list[Node]]) -> None:
    """What it counts besides is passed over, and what an older one lacks is zero."""
    key = KEYS.minute(minute_now())
    with engine.connected() as client:
        client.hset(key, mapping={"newer": "1|2|3|4|5|6|7|8", "older": "10"})

        (found,) = recent_minutes(nodes(engine.url), KEYS, 1)

        client.delete(key)
    assert found.counts == Counts(11, 2, 3, 4, 5, 6)


@pytest.mark.foreign_data
def test_something_else_under_the_key(engine: Engine, nodes: Callable[[str], list[Node]]) -> None:
    """It is an error, and no zero."""
    with engine.connected() as client:
        client.set(KEYS.minute(minute_now()), "of somebody else")

    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        recent_minutes(nodes(engine.url), KEYS)


def test_the_doctor_knows_them(engine: Engine) -> None:
    """As it knows carts; another name below the prefix is still a finding."""
    minute = minute_now(time.time())
    store = RedisStore(engine.url)
    write(store, minute, "worker-aaaa", Counts(units_added=1))
    store.close()
    with engine.connected() as client:
        client.set("shop:minutes:now", "1")

        report = examine(engine.url, KEYS)

        client.delete("shop:minutes:now")
    unknown = [found for found in report.findings if found.code == "unknown_name"]
    assert [example.at for found in unknown for example in found.examples] == ["shop:minutes:now"]
