"""Background jobs of the service: the sweep of the index, its lease, and its end."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart_server.app.sweeper import Sweeper
from ecart_server.redis_admin.connections import Node, open_nodes
from ecart_server.redis_admin.lease import Lease, Stopped, Throttle
from service.operating import KEY, Operator
from serving import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine
    from serving import Service

KEYS = Keyspace()


@pytest.fixture
def client(engine: Engine) -> Iterator[Any]:
    with engine.connected() as client:
        yield client


@pytest.fixture
def nodes(engine: Engine) -> Iterator[list[Node]]:
    nodes = open_nodes(engine.url)
    yield nodes
    for node in nodes:
        node.client.close()


def is_noted(client: Any, cart_id: str) -> bool:
    return client.zscore(KEYS.index(KEYS.partition(cart_id)), cart_id) is not None


def test_the_service_sweeps(serve: Callable[..., Service], client: Any, engine: Engine) -> None:
    """What was never noted is in the index soon, what is over is not."""
    store = RedisStore(client, index=False)
    Cart("unnoted", store).add("apple")
    Cart("over", client).add("apple")
    client.delete(KEYS.cart("over"))

    service = serve("--redis-url", engine.url, "--sweep-every", "1").ready()

    eventually(lambda: is_noted(client, "unnoted") and not is_noted(client, "over"), 10)
    assert "Traceback" not in service.said


def test_one_of_all_sweeps(client: Any, engine: Engine) -> None:
    """The one that acquires the lease; the others do nothing until it expires."""
    first, second = (Sweeper(engine.url, KEYS, 3600) for _ in range(2))

    first._sweep_if_due()
    client.config_resetstat()
    second._sweep_if_due()

    assert "cmdstat_scan" not in client.info("commandstats")
    assert 3590 < client.ttl("ecart:sweep:turn") <= 3600


def test_one_process_holds_a_lease(nodes: list[Node], client: Any) -> None:
    """It ends by its expiry, or when it is released; renewing it makes it last."""
    one, other = (Lease(KEYS.survey_turn, 60) for _ in range(2))

    assert one.acquire(nodes)
    assert not other.acquire(nodes)
    client.expire(KEYS.survey_turn, 5)
    one.renew(nodes)
    assert 55 < client.ttl(KEYS.survey_turn) <= 60
    one.release(nodes)
    assert other.acquire(nodes)


def test_the_throttle_rests_as_long_as_the_job_works(nodes: list[Node]) -> None:
    """And ends the work when the process is to end."""
    ending = threading.Event()
    throttle = Throttle(ending, Lease(KEYS.survey_turn, 60), nodes)
    time.sleep(0.05)
    began = time.monotonic()
    throttle(1, 2)
    rested = time.monotonic() - began
    ending.set()

    assert 0.04 < rested < 0.5
    with pytest.raises(Stopped):
        throttle()


def test_an_interrupted_sweep_is_not_lost(client: Any, engine: Engine) -> None:
    """The lease is free again, and no failure is logged."""
    sweeper = Sweeper(engine.url, KEYS, 3600)
    sweeper._ending.set()

    with pytest.raises(Stopped):
        sweeper._sweep_if_due()

    assert not client.exists("ecart:sweep:turn")


def test_an_engine_that_is_away_is_waited_for(
    own_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """It is swept when it is back; until then a warning, and no stack trace."""
    own_engine.kill()
    sweeper = Sweeper(own_engine.url, KEYS, 1)
    with caplog.at_level(logging.WARNING):
        sweeper.start()
        eventually(lambda: "swept later" in caplog.text, 10)
        own_engine.start()
        with own_engine.connected() as client:
            eventually(lambda: client.exists("ecart:sweep:turn"), 10)
        sweeper.end()

    assert "Traceback" not in caplog.text


def test_sigterm_ends_both_at_once(serve: Callable[..., Service], own_engine: Engine) -> None:
    """A survey and a sweep that are in progress delay nothing, and their leases are free."""
    with own_engine.connected() as client:
        with client.pipeline(transaction=False) as pipe:
            for n in range(60_000):
                pipe.zadd(KEYS.index(n % 1024), {f"nobody-{n}": 1 + n})
            for n in range(1024):
                pipe.expire(KEYS.index(n), 400 * 86_400)
            pipe.execute()
        service = serve(
            "--redis-url", own_engine.url, "--sweep-every", "1", env={"ECART_ADMIN_KEY": KEY}
        ).ready()
        with Operator(service.address) as operator:
            operator.log_in()
            eventually(lambda: client.exists("ecart:sweep:turn"), 5)
            operator.page()
            assert client.exists("ecart:sweep:turn", "ecart:survey:turn") == 2

        code, seconds = service.terminate()

        print(f"ended in {seconds:.2f} s")
        assert code == 0, service.said
        assert seconds < 3
        assert "Traceback" not in service.said
        assert not client.exists("ecart:survey")
        assert not client.exists("ecart:survey:turn")
