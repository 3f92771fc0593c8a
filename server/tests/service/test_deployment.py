"""A service that would see empty carts does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from serving import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine, Engines
    from serving import Service


def test_the_first_start_records_the_deployment(
    serve: Callable[..., Service], engine: Engine
) -> None:
    """Under the prefix it was given; carts go there, too."""
    given = ("--redis-url", engine.url, "--prefix", "shop-2", "--partitions", "16")
    service = serve(*given).ready()

    requests.post(f"{service.address}/cart/items", json={"sku": "apple"}).raise_for_status()

    with engine.connected() as client:
        assert client.hget("shop-2:deployment", "partitions") == b"16"
        assert len(client.keys("shop-2:{*:cart:*")) == 1
        assert client.keys("ecart:*") == []
    assert service.terminate()[0] == 0
    assert serve(*given).ready().terminate()[0] == 0


def test_another_number_of_partitions_is_refused(
    serve: Callable[..., Service], engine: Engine
) -> None:
    """With exit code 1 and what to do, before it listens; in the environment as well."""
    assert serve("--redis-url", engine.url).ready().terminate()[0] == 0

    other = serve(env={"ECART_REDIS_URL": engine.url, "ECART_PARTITIONS": "512"})

    said = other.refused()
    assert other.process.returncode == 1
    assert "--partitions 1024" in said
    assert said.endswith("[configuration_error]\n")
    assert "ecart on http" not in said


def test_in_the_embedded_engine_too(serve: Callable[..., Service]) -> None:
    """The data folder's carts are one deployment."""
    assert serve("--partitions", "16").ready().terminate()[0] == 0

    assert "--partitions 16" in serve().refused()


def test_in_a_cluster_too(serve: Callable[..., Service], engines: Engines) -> None:
    """By its URL: one node of it keeps the record."""
    url = f"redis+cluster://127.0.0.1:{engines.acquire_cluster().port}"
    assert serve("--redis-url", url, "--partitions", "16").ready().terminate()[0] == 0

    assert "--partitions 16" in serve("--redis-url", url).refused()


def test_an_engine_that_comes_later_is_checked_then(
    serve: Callable[..., Service], engines: Engines
) -> None:
    """The service starts without it, and ends when the record disagrees."""
    own_engine = engines.acquire_own("valkey9", "--appendonly", "yes", tcp=True)
    with own_engine.connected() as client:
        client.hset("ecart:deployment", mapping={"partitions": 16, "schema": 1, "created": 1})
    own_engine.kill()
    service = serve("--redis-url", own_engine.tcp_url)
    eventually(lambda: "is checked later" in service.said, 20)

    own_engine.start()

    assert "--partitions 16" in service.refused()
    assert service.process.returncode == 1
    assert service.said.count("configuration_error") == 1
    assert "Traceback" not in service.said


def test_an_engine_that_comes_later_is_used(
    serve: Callable[..., Service], own_engine: Engine
) -> None:
    """And the deployment is recorded then."""
    own_engine.kill()
    service = serve("--redis-url", own_engine.tcp_url, "--workers", "2")
    eventually(lambda: "is checked later" in service.said, 20)

    own_engine.start()
    service.ready()

    with own_engine.connected() as client:
        eventually(lambda: client.hget("ecart:deployment", "partitions") == b"1024", 5)
    assert service.terminate()[0] == 0
