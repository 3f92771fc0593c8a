"""The store for asyncio: what becomes ready in one loop turn goes out together."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from ecart.flows import Flow
from ecart.operations import Change, Operation
from ecart.store import run_async
from ecart.stores.redis.batches import Batches, batches_of
from ecart.stores.redis.clients import (
    Address,
    Client,
    open_async_client,
    read_url,
    repeats_by_itself,
)
from ecart.stores.redis.commands import Argument
from ecart.stores.redis.durability import Mode, durability_of
from ecart.stores.redis.exchange import (
    DEADLINE,
    Observer,
    Send,
    Terms,
    Wait,
    begin,
    exchange,
)
from ecart.stores.redis.index import noted_over
from ecart.stores.redis.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Keyspace
from ecart.stores.redis.lenders import lender_of
from ecart.stores.redis.lenders_async import AsyncKeepingLender, AsyncLender, AsyncPoolLender
from ecart.stores.redis.pooled import UNDECODED, in_utf8
from ecart.stores.redis.pooled_async import send_all_async
from ecart.stores.redis.reads import MORE
from ecart.stores.redis.together import first_reply, is_cluster
from ecart.stores.redis.together_async import send_together_async

Result = TypeVar("Result")


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
        self._address = read_url(client) if isinstance(client, str) else None
        self._given: Any = None if isinstance(client, str) else client
        if self._given is not None and not inspect.iscoroutinefunction(self._given.execute_command):
            raise TypeError("not an asyncio client: use Cart or RedisStore")
        self._lender: AsyncLender | None = None
        if self._given is not None:
            self._lender = lender_of(self._given, AsyncPoolLender)
        self._opened: WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = WeakKeyDictionary()
        self._latest: _Way | None = None
        self.keys = Keyspace(prefix, partitions)
        given = self._given is not None
        repeats = given and self._lender is None and repeats_by_itself(self._given)
        noted = noted_over(self._given) if index else None
        self._terms = Terms(deadline, repeats, durability_of(durability, replicas), noted, observer)
        is_single = self._address is not None and not self._address.kind
        self._patience = self._terms.patience if is_single else None

    async def execute(self, cart_id: str, operation: Operation[Result], /) -> Result:
        """As `RedisStore.execute`."""
        if self._terms.durability is not None and isinstance(operation, Change):
            flow: Flow[Result] = exchange(self.keys, self._terms, cart_id, operation)
            return await run_async(flow, self._do)
        begun: Any = begin(self.keys, self._terms, cart_id, operation)
        result: Result
        try:
            reply = await self._do(begun.first)
        except Exception as error:
            result = await run_async(begun.flow(error), self._do)
        except BaseException as error:
            begun.broken_off(error)
            raise
        else:
            result = begun.done(reply)
            if result is MORE:
                result = await run_async(begun.flow(reply), self._do)
        return result

    async def ask(self, key: str, command: tuple[Argument, ...]) -> Any:
        """As `RedisStore.ask`."""
        return await self._do(Send(key, command, self._terms.deadline))

    async def close(self) -> None:
        """Closes the running loop's client if this store opened it."""
        client, _ = self._opened.pop(asyncio.get_running_loop(), (None, None))
        self._latest = None
        if client is not None:
            await client.aclose()

    def _do(self, step: Send | Wait) -> Awaitable[Any]:
        if isinstance(step, Wait):
            return asyncio.sleep(step.seconds)
        way, patience = self._way(), self._patience
        if (
            way.lender is None
            or way.batches is None
            or step.ask is not None
            or step.seconds < (patience or 0.0)
        ):
            return self._send(way.client, way.lender, step)
        return way.batches.add(way.lender, step.command, patience, step.aside)

    async def _send(self, client: Any, lender: AsyncLender | None, step: Send) -> Any:
        commands = (step.command, *step.aside)
        if step.ask is not None:
            asked = (*commands, step.ask)
            if lender is None:
                replies = await send_together_async(client, step.key, asked)
            else:
                replies = await send_all_async(lender, asked, self._patience)
            return replies[0], replies[-1]
        if lender is not None:
            # The last attempt: what others have to send may take longer than this one has left.
            return first_reply(await send_all_async(lender, (step.command,), step.seconds))
        if is_cluster(client):
            return first_reply(await send_together_async(client, step.key, commands))
        reply = await client.execute_command(*in_utf8(step.command), **UNDECODED)
        for command in step.aside:
            with contextlib.suppress(Exception):
                await client.execute_command(*in_utf8(command), **UNDECODED)
        return reply

    def _way(self) -> _Way:
        loop, way = asyncio.get_running_loop(), self._latest
        if way is None or way.loop is not loop:
            client, lender = self._given, self._lender
            if self._address is not None:
                client, lender = self._opened_in(loop, self._address)
            batches = None if lender is None else batches_of(client.connection_pool)
            way = self._latest = _Way(loop, client, lender, batches)
        return way

    def _opened_in(self, loop: asyncio.AbstractEventLoop, address: Address) -> _Opened:
        if loop not in self._opened:
            client = open_async_client(address, self._terms.patience)
            self._opened[loop] = client, lender_of(client, AsyncKeepingLender)
        return self._opened[loop]


_Opened = tuple[Any, AsyncLender | None]


class _Way(NamedTuple):
    """How an event loop's commands reach the engine: over the client's pool, where it has one."""

    loop: asyncio.AbstractEventLoop
    client: Any
    lender: AsyncLender | None
    batches: Batches | None
