"""`RedisStore`: runs the flow of each operation over a transport, for threads."""

from __future__ import annotations

import inspect
import time
from typing import Any, ClassVar, TypeVar

from ecart.operations import Operation
from ecart.store import run
from ecart.stores.redis.clients import Client, retries_by_itself
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
from ecart.stores.redis.transport.connections import pool_of
from ecart.stores.redis.transport.sync import UrlTransport, transport_of
from ecart.stores.redis.transport.wire import Command
from ecart.stores.redis.urls import read_url

_Result = TypeVar("_Result")


class StoreOnClient:
    """What the stores for threads and for asyncio share: their arguments, and what follows."""

    _is_async: ClassVar[bool]
    _wrong_client: ClassVar[str]
    _of_client: ClassVar[Any]
    _of_url: ClassVar[Any]

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
        is_async = inspect.iscoroutinefunction(getattr(given, "execute_command", None))
        if given is not None and is_async is not self._is_async:
            raise TypeError(self._wrong_client)
        self.keys = Keyspace(prefix, partitions)
        self._execution = Execution(
            keys=self.keys,
            deadline=deadline,
            # Over connections of its pool, a client retries nothing.
            client_retries=given is not None
            and pool_of(given) is None
            and retries_by_itself(given),
            durability=durability_of(durability, replicas),
            index=index_of(given) if index else None,
            observer=observer,
        )
        self._opened: Any = None
        if isinstance(client, str):
            self._opened = self._of_url(read_url(client), self._execution.reply_timeout)
        self._transport: Any = self._opened or self._of_client(given)


class RedisStore(StoreOnClient):
    """Carts in Redis or Valkey, by a client or a URL: `redis://`, `rediss://`, `unix://`,
    `valkey://`, and for clusters `redis+cluster://host:port,host:port`, for Sentinel
    `redis+sentinel://host:port,host:port/service`.

    A client handed in keeps its own time-outs, and stays the caller's to close. Of a plain one,
    the connections of its pool are used; one with an `execute_command` of its own is called, with
    its retries. A URL opens a client with short time-outs. Failures are retried for `deadline`
    seconds, always to the same effect.

    A change counts as done when the primary has it (`durability="primary"`), when `replicas` (1)
    replicas have it too (`"replicated"`), or when it is on the primary's disk and on that of
    `replicas` (0) replicas (`"fsync"`; Redis and Valkey 7.2 and newer). Where that is not
    confirmed in time, the change is `OutcomeUnknownError`.

    With `index`, carts are indexed by their last activity, for `ecart carts` and the operators'
    pages: in the packet of a change, at most once a minute for a cart.

    `observer` is notified of failed attempts, including those that a retry recovered.
    """

    _is_async = False
    _wrong_client = "an asyncio client: use AsyncCart or AsyncRedisStore"
    _of_client, _of_url = staticmethod(transport_of), UrlTransport

    def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """Executes the operation as one command or script call, and retries if that fails."""
        result: _Result = run(execute(self._execution, cart_id, operation), self._do)
        return result

    def send(self, key: str, command: Command) -> Any:
        """The reply to a command on a key that is no cart's. It is sent once."""
        return self._transport.send(SendStep(key, command, self._execution.deadline))[0]

    def close(self) -> None:
        """Closes the client if this store opened it; another is opened when it is needed."""
        if self._opened is not None:
            self._opened.close()

    def _do(self, step: SendStep | WaitStep) -> Any:
        if isinstance(step, WaitStep):
            return time.sleep(step.seconds)
        return self._transport.send(step)
