"""`AsyncRedisStore`: runs the flow of each operation over a transport, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from ecart.operations import Operation
from ecart.store import run_async
from ecart.stores.redis.retries import SendStep, WaitStep, execute
from ecart.stores.redis.store import StoreOnClient
from ecart.stores.redis.transport.asynchronous import transport_of_client, transport_of_url
from ecart.stores.redis.transport.wire import Command

_Result = TypeVar("_Result")


class AsyncRedisStore(StoreOnClient):
    """`RedisStore` for asyncio, in all else alike. Each event loop opens a URL for itself."""

    _is_async = True
    _wrong_client = "not an asyncio client: use Cart or RedisStore"
    _of_client, _of_url = staticmethod(transport_of_client), staticmethod(transport_of_url)

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
        sent: Awaitable[Any] = self._transport.send(step)
        return sent
