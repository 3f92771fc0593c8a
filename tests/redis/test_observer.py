"""An observer of a store is told of what its callers do not see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ecart import AsyncRedisStore, RedisStore, StoreUnavailableError
from ecart.operations import AddItem
from ecart.stores.redis.failures import Failure

if TYPE_CHECKING:
    from engines import Engine


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[Failure | None] = []

    def failed(self, failure: Failure, /) -> None:
        self.said.append(failure)

    def repeats(self) -> None:
        self.said.append(None)


def test_failures_and_repeats_are_reported(own_engine: Engine) -> None:
    """Each attempt that failed, and each that is made again; the last one is not."""
    told = Told()
    store = RedisStore(own_engine.url, deadline=0.1, observer=told)
    own_engine.kill()

    with pytest.raises(StoreUnavailableError):
        store.execute("c", AddItem(sku="apple"))

    store.close()
    assert len(told.said) >= 3
    assert told.said[::2] == [Failure.NOT_CONNECTED] * len(told.said[::2])
    assert told.said[1::2] == [None] * len(told.said[1::2])
    assert told.said[-1] is Failure.NOT_CONNECTED


def test_a_script_that_is_brought_along_is_reported(own_engine: Engine) -> None:
    """It is sent again at once, without a pause; what goes well is not told."""
    told = Told()

    async def add_twice() -> None:
        store = AsyncRedisStore(own_engine.url, observer=told)
        for _ in range(2):
            await store.execute("c", AddItem(sku="apple"))
        await store.close()

    asyncio.run(add_twice())

    assert told.said == [Failure.NO_SCRIPT]
