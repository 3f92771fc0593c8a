"""`AsyncRedisStore`: runs the flow of each operation over a transport, for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any, TypeVar

from ecart.operations import Operation
from ecart.store import run_async
from ecart.stores.redis.clients import Client
from ecart.stores.redis.durability import Mode, durability_of
from ecart.stores.redis.index import index_of
from ecart.stores.redis.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keyspace
from ecart.stores.redis.retries import (
    DEADLINE,
    Execution,
    Observer,
    SendStep,
    WaitStep,
    execute,
)
from ecart.stores.redis.store import may_retry_by_itself
from ecart.stores.redis.transport.asynchronous import (
    AsyncLoopTransport,
    transport_of_client,
    transport_of_url,
)
from ecart.stores.redis.transport.wire import Command
from ecart.stores.redis.urls import read_url

_Result = TypeVar("_Result")


class AsyncRedisStore:
    """`RedisStore` for asyncio, in all else alike. Each event loop opens a URL for itself."""

    def __init__(
        self,
        client: Client | str,
        *,
        prefix: str = DEFAULT_PREFIX,
        partitions: int = DEFAULT_PARTITIONS,
        deadline: float = DEADLINE,
        durability: Mode = "primary",
        replicas: int | None = None,
        index: bool = True,
        observer: Observer | None = None,
    ) -> None:
        given: Any = None if isinstance(client, str) else client
        if given is not None and not inspect.iscoroutinefunction(given.execute_command):
            raise TypeError("not an asyncio client: use Cart or RedisStore")
        self.keys = Keyspace(prefix, partitions)
        self._execution = Execution(
            keys=self.keys,
            deadline=deadline,
            client_retries=may_retry_by_itself(given),
            durability=durability_of(durability, replicas),
            index=index_of(given) if index else None,
            observer=observer,
        )
        self._opened: AsyncLoopTransport | None = None
        if isinstance(client, str):
            self._opened = transport_of_url(read_url(client), self._execution.reply_timeout)
        self._transport = self._opened or transport_of_client(given)

    async def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As `RedisStore.execute`."""
        flow = execute(self._execution, cart_id, operation)
        result: _Result = await run_async(flow, self._do)
        return result

    async def send(self, key: str, command: Command) -> Any:
        """As `RedisStore.send`."""
        return (await self._transport.send(SendStep(key, command, self._execution.deadline)))[0]

    async def close(self) -> None:
        """Closes the running loop's client if this store opened it."""
        if self._opened is not None:
            await self._opened.close()

    def _do(self, step: SendStep | WaitStep) -> Awaitable[Any]:
        if isinstance(step, WaitStep):
            return asyncio.sleep(step.seconds)
        return self._transport.send(step)
