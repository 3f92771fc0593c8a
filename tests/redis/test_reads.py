"""How a read goes on where its first attempt does not settle it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis

from ecart import (
    AsyncRedisStore,
    CartSummary,
    CorruptCartError,
    RedisStore,
    StoreUnavailableError,
)
from ecart.operations import AddItem, GetOperation, GetSummary, GetTtl, Operation
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.retries import Execution, SendStep, WaitStep, execute

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from engines import Engine

KEYS = Keyspace()
KEY = KEYS.cart("a")


class Talk:
    """Does a read's steps as a store does, and notes them; before a command, something happens."""

    def __init__(self, client: Any, before: dict[int, Callable[[], object]]) -> None:
        self.steps: list[Any] = []
        self._client = client
        self._before = before

    @property
    def said(self) -> list[str]:
        return [step.command[0] if isinstance(step, SendStep) else "wait" for step in self.steps]

    def of(self, operation: Operation[Any]) -> Any:
        flow = execute(Execution(KEYS, 0.5, client_retries=False), "a", operation)
        return self._run(flow)

    def do(self, step: Any) -> Any:
        self.steps.append(step)
        if isinstance(step, WaitStep):
            return None
        number = self.said.count("HMGET") + self.said.count("EXISTS") + self.said.count("PTTL")
        self._before.get(number, lambda: None)()
        return [self._client.execute_command(*step.command)]

    def _run(self, flow: Any) -> Any:
        result: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    result = self.do(step)
                except redis.RedisError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(result)
        except StopIteration as end:
            return end.value


@pytest.fixture
def talk(engine: Engine) -> Any:
    """Makes one."""
    with engine.connected() as client:
        yield lambda **before: Talk(client, {int(n[1:]): do for n, do in before.items()})


@pytest.fixture
def make_cart(engine: Engine) -> Any:
    """Makes the cart that is read."""

    def make() -> None:
        with engine.connected() as client:
            client.delete(KEY)
            RedisStore(client, index=False).execute("a", AddItem(sku="apple"))

    return make


@pytest.fixture
def plant(engine: Engine) -> Any:
    """Plants a hash of somebody else's where the cart would be."""

    def planting() -> None:
        with engine.connected() as client:
            client.hset(KEY, "name", "Ada")

    return planting


def fail(error: Exception) -> Callable[[], object]:
    def failing() -> None:
        raise error

    return failing


def test_a_cart_is_one_question(talk: Any, make_cart: Any) -> None:
    make_cart()
    one = talk()

    assert one.of(GetSummary()).total_quantity == 1
    assert one.said == ["HMGET"]


def test_no_cart_is_two(talk: Any) -> None:
    """What the first one told is not asked again."""
    two = talk()

    assert two.of(GetSummary()) == CartSummary("a", "USD")
    assert two.said == ["HMGET", "EXISTS"]


@pytest.mark.parametrize("name", ["sync", "asyncio"])
def test_the_stores_ask_no_more(engine: Engine, runner: asyncio.Runner, name: str) -> None:
    with engine.connected() as client:
        client.config_resetstat()
        if name == "sync":
            store = RedisStore(engine.url)
            store.execute("a", GetSummary())
            store.close()
        else:
            runner.run(read_once(engine.url))
        stats = client.info("commandstats")

    asked = {n.removeprefix("cmdstat_"): stat["calls"] for n, stat in stats.items()}
    assert (asked["hmget"], asked["exists"]) == (1, 1)


async def read_once(url: str) -> None:
    store = AsyncRedisStore(url)
    await store.execute("a", GetSummary())
    await store.close()


def test_a_cart_made_between_the_questions_is_read(talk: Any, make_cart: Any) -> None:
    three = talk(_2=make_cart)

    assert three.of(GetSummary()).total_quantity == 1
    assert three.said == ["HMGET", "EXISTS", "HMGET"]


@pytest.mark.foreign_data
def test_a_strangers_hash_that_goes_is_no_cart(talk: Any, plant: Any, engine: Engine) -> None:
    """It is there at the first look whether something is, and gone at the second."""
    plant()
    with engine.connected() as client:
        four = talk(_4=lambda: client.delete(KEY))

        assert four.of(GetSummary()) == CartSummary("a", "USD")
    assert four.said == ["HMGET", "EXISTS", "HMGET", "EXISTS"]


@pytest.mark.foreign_data
def test_a_strangers_hash_is_no_cart_of_ours(talk: Any, plant: Any) -> None:
    plant()

    with pytest.raises(CorruptCartError):
        talk().of(GetOperation(operation_id="order-1"))


def test_a_failed_attempt_is_made_again_in_what_is_left(talk: Any, make_cart: Any) -> None:
    make_cart()
    again = talk(_1=fail(redis.ConnectionError("Connection closed by server.")))

    assert again.of(GetSummary()).total_quantity == 1
    assert again.said == ["HMGET", "wait", "HMGET"]
    first, _, second = again.steps
    assert 0 < second.seconds < first.seconds == 0.5


def test_who_is_denied_is_reported_at_once(talk: Any) -> None:
    denied = talk(_1=fail(redis.exceptions.NoPermissionError("no permissions to run 'hmget'")))

    with pytest.raises(StoreUnavailableError, match="no permissions"):
        denied.of(GetSummary())
    assert denied.said == ["HMGET"]


def test_the_time_to_live_is_asked_of_carts_alone(talk: Any, make_cart: Any) -> None:
    nothing = talk()
    assert nothing.of(GetTtl()) == -2
    assert nothing.said == ["HMGET", "EXISTS", "PTTL"]

    make_cart()
    lives = talk()
    assert 0 < lives.of(GetTtl()) <= 604_800_000
    assert lives.said == ["HMGET", "PTTL"]
