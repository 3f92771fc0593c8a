"""The deployment record: written once, compared always, never by the library."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore, StoreUnavailableError
from ecart.stores.redis.clients import open_client
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.urls import read_url
from ecart_server.redis_admin.deployment import (
    DeploymentError,
    compare_deployment,
    read_deployment,
    record_deployment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine, Engines

KEYS = Keyspace()


@pytest.fixture
def client(any_engine: Engine) -> Iterator[Any]:
    opened = open_client(read_url(any_engine.url))
    yield opened
    opened.close()


def test_the_first_start_records(client: Any) -> None:
    """Partitions, schema and time; without expiry."""
    made = record_deployment(client, KEYS)

    assert (made.partitions, made.schema) == (1024, 1)
    assert made.created_ms > 1_700_000_000_000
    assert read_deployment(client, KEYS) == made
    assert client.pttl("ecart:deployment") == -1


def test_later_starts_leave_it(client: Any) -> None:
    """Whatever they are told themselves."""
    made = record_deployment(client, KEYS)

    assert record_deployment(client, Keyspace(partitions=7)) == made


def test_of_several_first_starts_one_records(any_engine: Engine) -> None:
    """All of them see what that one wrote."""

    def start(partitions: int) -> object:
        client = open_client(read_url(any_engine.url))
        try:
            return record_deployment(client, Keyspace(partitions=partitions))
        finally:
            client.close()

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(start, range(1, 33)))

    assert len(seen) == 1


def test_a_record_that_lost_fields_is_reported(client: Any) -> None:
    """It is not guessed again."""
    client.hset("ecart:deployment", "partitions", 1024)

    with pytest.raises(DeploymentError, match="does not hold the record"):
        record_deployment(client, KEYS)

    client.delete("ecart:deployment")


def test_the_library_records_nothing(any_engine: Engine) -> None:
    """Neither reading nor changing carts writes the record."""
    store = RedisStore(any_engine.url)
    Cart("c", store).add("apple")
    Cart("c", store).get()
    store.close()

    with any_engine.connected() as client:
        assert store.keys.deployment.encode() not in client.keys("*")


def test_each_prefix_has_its_own(client: Any) -> None:
    """Tenants may differ."""
    record_deployment(client, KEYS)
    other = record_deployment(client, Keyspace("shop-2", 16))

    assert other.partitions == 16
    assert client.hget("shop-2:deployment", "partitions") == b"16"


def test_another_number_of_partitions_is_reported(client: Any) -> None:
    """With the number to use."""
    made = record_deployment(client, Keyspace(partitions=64))

    compare_deployment(made, Keyspace(partitions=64))
    with pytest.raises(DeploymentError, match="--partitions 64"):
        compare_deployment(made, KEYS)


@pytest.mark.foreign_data
def test_a_newer_schema_is_reported(client: Any) -> None:
    """It would show carts that cannot be read."""
    record_deployment(client, KEYS)
    client.hset("ecart:deployment", "schema", 2)
    newer = read_deployment(client, KEYS)

    assert newer is not None
    with pytest.raises(DeploymentError, match="schema 2"):
        compare_deployment(newer, KEYS)


@pytest.mark.foreign_data
@pytest.mark.parametrize(
    "command",
    [
        ("SET", "ecart:deployment", "text"),
        ("HSET", "ecart:deployment", "partitions", "many", "schema", "1", "created", "1"),
    ],
)
def test_what_is_no_record_is_reported(client: Any, command: tuple[str, ...]) -> None:
    """And left as it is."""
    client.execute_command(*command)
    before = client.dump("ecart:deployment")

    with pytest.raises(DeploymentError, match="does not hold the record"):
        record_deployment(client, KEYS)

    assert client.dump("ecart:deployment") == before


def test_a_full_memory_is_no_disagreement(engines: Engines) -> None:
    """The record waits; one that exists is read."""
    engine = engines.acquire_own("valkey9")
    client = open_client(read_url(engine.url))
    client.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailableError):
        record_deployment(client, KEYS)
    client.config_set("maxmemory", 0)
    made = record_deployment(client, KEYS)
    client.config_set("maxmemory", 1)

    assert record_deployment(client, KEYS) == made
    client.close()


def test_an_engine_that_is_away(own_engine: Engine) -> None:
    """Is another error than a disagreement."""
    client = open_client(read_url(own_engine.url))
    own_engine.kill()

    with pytest.raises(StoreUnavailableError):
        record_deployment(client, KEYS)

    client.close()


def test_a_decoding_client(any_engine: Engine) -> None:
    """A URL may ask for decoded replies."""
    client = open_client(read_url(f"{any_engine.url}?decode_responses=true"))
    made = record_deployment(client, KEYS)

    assert read_deployment(client, KEYS) == made
    client.close()
