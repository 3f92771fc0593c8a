"""An engine that is absent, slow or hung: what the caller is told, and how soon."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
import valkey
from redis.backoff import NoBackoff
from redis.retry import Retry

from ecart import (
    AsyncCart,
    AsyncRedisStore,
    Cart,
    OutcomeUnknownError,
    RedisStore,
    StoreUnavailableError,
)
from ecart.stores.redis.clients import REPLY_TIMEOUT
from ecart.stores.redis.failures import Failure, classify
from engines import free_port
from waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine

DEADLINE = 0.3
MARGIN = 2.0
"""For a machine that is busy with other tests."""

CALLS: dict[str, Callable[[Cart], object]] = {
    "add": lambda cart: cart.add("apple"),
    "remove": lambda cart: cart.remove("apple"),
    "destroy": lambda cart: cart.destroy(),
    "get": lambda cart: cart.get(),
    "summary": lambda cart: cart.summary(),
    "contains": lambda cart: cart.contains("apple"),
    "ttl": lambda cart: cart.ttl(),
}


def carts(url: str, runner: asyncio.Runner) -> list[Any]:
    """A cart with a short deadline, sync and asyncio."""
    return [
        Cart("c", RedisStore(url, deadline=DEADLINE)),
        Waiting(AsyncCart("c", AsyncRedisStore(url, deadline=DEADLINE)), runner),
    ]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}", "unix:///nowhere/ecart/socket"])
def test_an_absent_engine_is_reported_in_time(
    url: str, call: Callable[[Cart], object], runner: asyncio.Runner
) -> None:
    """A refused port, a missing socket: `store_unavailable` within the deadline, nothing sent."""
    for cart in carts(url.format(port=free_port()), runner):
        started = time.monotonic()

        with pytest.raises(StoreUnavailableError) as told:
            call(cart)

        assert told.value.code == "store_unavailable"
        assert time.monotonic() - started < DEADLINE + MARGIN


def test_a_hung_engine_is_reported_in_time(own_engine: Engine, runner: asyncio.Runner) -> None:
    """A change was sent and nobody answers: `outcome_unknown`. It is done once or not at all."""
    for cart in carts(own_engine.url, runner):
        before = cart.add("apple", unit_price="1").summary.total_quantity
        with own_engine.frozen():
            started = time.monotonic()
            with pytest.raises(OutcomeUnknownError) as told:
                cart.add("apple")
            assert time.monotonic() - started < DEADLINE + REPLY_TIMEOUT + MARGIN

        assert told.value.operation_id
        assert cart.summary().total_quantity in (before, before + 1)
        assert cart.add("apple").summary.total_quantity in (before + 1, before + 2)
        cart.store.close() if isinstance(cart, Cart) else runner.run(cart.store.close())


def test_no_deadline_at_all_is_one_attempt(own_engine: Engine, runner: asyncio.Runner) -> None:
    """`deadline=0`: nothing is repeated, and the one attempt has time enough to be answered."""
    sync_store = RedisStore(own_engine.tcp_url, deadline=0)
    async_store = AsyncRedisStore(own_engine.tcp_url, deadline=0)
    for cart in (Cart("a", sync_store), Waiting(AsyncCart("b", async_store), runner)):
        assert cart.add("apple").version == 1
        with own_engine.frozen(), pytest.raises(OutcomeUnknownError):
            cart.add("apple")
        assert cart.summary().total_quantity in (1, 2)

    sync_store.close()
    runner.run(async_store.close())


def test_a_hung_engine_cannot_be_read(own_engine: Engine) -> None:
    """Reading changes nothing, so that no outcome is unknown: `store_unavailable`."""
    store = RedisStore(own_engine.url, deadline=DEADLINE)
    Cart("c", store).add("apple")

    with own_engine.frozen(), pytest.raises(StoreUnavailableError):
        Cart("c", store).get()

    assert Cart("c", store).contains("apple")
    store.close()


async def test_a_hung_engine_costs_the_event_loop_nothing(own_engine: Engine) -> None:
    """While one call waits for its answer, others go on."""
    store = AsyncRedisStore(own_engine.url, deadline=DEADLINE)
    await AsyncCart("c", store).add("apple")
    longest = 0.0
    with own_engine.frozen():
        waiting = asyncio.create_task(AsyncCart("c", store).add("apple"))
        while not waiting.done():
            started = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - started)

    with pytest.raises(OutcomeUnknownError):
        await waiting
    assert longest < 1.0
    await store.close()


async def test_an_absent_engine_costs_the_event_loop_nothing() -> None:
    """Between its attempts a call waits as a task does: others go on all the time."""
    store = AsyncRedisStore(f"redis://127.0.0.1:{free_port()}", deadline=1.0)
    turns = 0
    waiting = asyncio.create_task(AsyncCart("c", store).add("apple"))
    while not waiting.done():
        await asyncio.sleep(0.01)
        turns += 1

    with pytest.raises(StoreUnavailableError):
        await waiting
    assert turns > 30
    await store.close()


def test_a_slow_engine_is_waited_for(any_engine: Engine) -> None:
    """A pause shorter than the deadline is not noticed, and the change is one change."""
    store = RedisStore(any_engine.url)
    Cart("c", store).add("apple")
    with any_engine.connected() as client:
        client.client_pause(300)
        started = time.monotonic()

        change = Cart("c", store).add("apple")

    assert 0.2 < time.monotonic() - started < 0.3 + MARGIN
    assert (change.version, change.summary.total_quantity) == (2, 2)
    store.close()


def test_an_engine_that_comes_back_is_used_again(own_engine: Engine) -> None:
    """The same store, the same handle: nothing to reconnect by hand."""
    store = RedisStore(own_engine.url, deadline=DEADLINE)
    cart = Cart("c", store)
    cart.add("apple")
    own_engine.kill()
    with pytest.raises((StoreUnavailableError, OutcomeUnknownError)):
        cart.add("apple")
    with pytest.raises(StoreUnavailableError):
        cart.add("apple")

    own_engine.start()

    assert cart.add("apple").version == 1
    store.close()


def test_an_engine_that_comes_back_in_time_is_not_missed(own_engine: Engine) -> None:
    """A restart shorter than the deadline costs no error."""
    store = RedisStore(own_engine.url)
    cart = Cart("c", store)
    cart.add("apple")
    own_engine.kill()
    from threading import Timer

    restart = Timer(0.3, own_engine.start)
    restart.start()

    assert cart.add("pear").summary.line_count == 1
    restart.join()
    store.close()


class Traced(redis.Redis):
    """A client with an `execute_command` of its own, as tracing and caching have."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*args, **options)


def test_a_client_that_repeats_by_itself_leaves_doubt() -> None:
    """It may have sent the change before it was refused: `outcome_unknown`, not a promise."""
    with Traced(port=free_port(), retry=Retry(NoBackoff(), 1)) as client:
        with pytest.raises(OutcomeUnknownError):
            Cart("c", RedisStore(client, deadline=0.05)).add("apple")
        with pytest.raises(StoreUnavailableError):
            Cart("c", RedisStore(client, deadline=0.05)).get()


@pytest.mark.parametrize(("kind", "retries"), [(Traced, 0), (redis.Redis, 0), (redis.Redis, 1)])
def test_a_client_that_does_not_repeat_leaves_none(kind: type[redis.Redis], retries: int) -> None:
    """Refused is not sent: `store_unavailable`. A plain client is not left to repeat anything."""
    retry = Retry(NoBackoff(), retries)
    with kind(port=free_port(), retry=retry) as client, pytest.raises(StoreUnavailableError):
        Cart("c", RedisStore(client, deadline=0.05)).add("apple")


def test_a_wrong_password_is_reported_at_once(own_engine: Engine) -> None:
    """Repeating would not help: `store_unavailable`, in words that name the password."""
    with own_engine.connected() as client:
        client.config_set("requirepass", "secret")
        try:
            for url in (own_engine.tcp_url, f"redis://:wrong@127.0.0.1:{own_engine.port}"):
                started = time.monotonic()
                with pytest.raises(StoreUnavailableError, match="password") as sync_failure:
                    Cart("c", url).add("apple")
                with pytest.raises(StoreUnavailableError, match="password") as failure:
                    asyncio.run(AsyncCart("c", url).get())
                assert "wrong" not in f"{sync_failure.value}{failure.value}"
                assert time.monotonic() - started < 2 * MARGIN
        finally:
            client.config_set("requirepass", "")


def test_a_read_only_engine_is_not_written(engine: Engine) -> None:
    """A replica refuses: not executed, and it may be a primary later."""
    with engine.connected() as client:
        store = RedisStore(client, deadline=0.1)
        Cart("c", store).add("apple")
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())
        try:
            with pytest.raises(StoreUnavailableError):
                Cart("c", store).add("apple")
            assert Cart("c", store).summary().version == 1
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")


def errors_of(errors: Any) -> list[tuple[BaseException, Failure]]:
    refused = errors.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused.")
    refused_by_cause = errors.ConnectionError("Connection refused")
    refused_by_cause.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return [
        (refused, Failure.NOT_CONNECTED),
        (refused_by_cause, Failure.NOT_CONNECTED),
        (errors.ConnectionError("Connection closed by server."), Failure.UNKNOWN),
        (errors.ConnectionError("Error while reading from socket"), Failure.UNKNOWN),
        (errors.TimeoutError("Timeout reading from socket"), Failure.UNKNOWN),
        (errors.BusyLoadingError("Redis is loading the dataset in memory"), Failure.NOT_EXECUTED),
        (
            errors.ReadOnlyError("You can't write against a read only replica."),
            Failure.NOT_EXECUTED,
        ),
        (errors.OutOfMemoryError("command not allowed"), Failure.NOT_EXECUTED),
        (errors.ResponseError("OOM command not allowed when used memory"), Failure.NOT_EXECUTED),
        (errors.ResponseError("BUSY Redis is busy running a script."), Failure.NOT_EXECUTED),
        (errors.ResponseError("MISCONF Errors writing to the AOF file"), Failure.NOT_EXECUTED),
        (errors.ResponseError("NOREPLICAS Not enough good replicas"), Failure.NOT_EXECUTED),
        (errors.ResponseError("TRYAGAIN Multiple keys request"), Failure.NOT_EXECUTED),
        (errors.ResponseError("CLUSTERDOWN The cluster is down"), Failure.NOT_EXECUTED),
        (errors.ResponseError("MOVED 3999 127.0.0.1:6381"), Failure.NOT_EXECUTED),
        (errors.ConnectionError("max number of clients reached"), Failure.NOT_EXECUTED),
        (errors.NoScriptError("No matching script."), Failure.NO_SCRIPT),
        (errors.ResponseError("NOSCRIPT No matching script."), Failure.NO_SCRIPT),
        (errors.ResponseError("WRONGTYPE Operation against a key"), Failure.WRONG_TYPE),
        (errors.AuthenticationError("invalid password"), Failure.DENIED),
        (errors.NoPermissionError("no permissions"), Failure.DENIED),
        (errors.ResponseError("unknown command"), Failure.DENIED),
        (errors.DataError("Invalid input of type"), Failure.NOT_OURS),
        (AttributeError("'NoneType' object has no attribute 'writelines'"), Failure.UNKNOWN),
        (TypeError("'NoneType' object is not callable"), Failure.UNKNOWN),
    ]


@pytest.mark.parametrize(
    "error, failure",
    errors_of(redis.exceptions) + errors_of(valkey.exceptions),
    ids=lambda value: str(value)[:40],
)
def test_errors_are_classified(error: BaseException, failure: Failure) -> None:
    """By name and words, alike for redis-py and valkey-py."""
    assert classify(error) is failure


@pytest.mark.parametrize("error", [ValueError("MOVED"), KeyboardInterrupt(), OSError("x")])
def test_other_errors_are_not_the_engines(error: BaseException) -> None:
    """A bug in a client is not taken for a failure of the engine."""
    assert classify(error) is Failure.NOT_OURS
