"""The store for threads: each operation is one command or script call, by a sync client."""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from typing import Any, TypeVar

from ecart.flows import Flow
from ecart.operations import Change, Operation
from ecart.store import run
from ecart.stores.redis.clients import (
    Address,
    Client,
    open_client,
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
from ecart.stores.redis.lenders import KeepingLender, Lender, PoolLender, lender_of
from ecart.stores.redis.pooled import UNDECODED, in_utf8, send_all, send_one
from ecart.stores.redis.reads import MORE
from ecart.stores.redis.together import first_reply, is_cluster, send_together

Result = TypeVar("Result")


class RedisStore:
    """A `Store` on a client or a URL: `redis://`, `rediss://`, `unix://`, `valkey://`, and for
    clusters `redis+cluster://host:port,host:port`, for Sentinel
    `redis+sentinel://host:port,host:port/service`.

    A client handed in keeps its own time-outs, and stays the caller's to close. A plain one lends
    its connections; one with an `execute_command` of its own is asked, with its retries. A URL
    opens a client with short time-outs whose failures this store alone repeats, for `deadline`
    seconds, always to the same effect.

    A change counts as done when the primary has it (`durability="primary"`), when `replicas` (1)
    replicas have it too (`"replicated"`), or when it is on the primary's disk and on that of
    `replicas` (0) replicas (`"fsync"`; Redis and Valkey 7.2 and newer). Where that is not
    confirmed in time, the change is `OutcomeUnknownError`.

    With `index`, carts are noted by their last activity, for `ecart carts` and the operator's view:
    along with a change, at most once a minute.

    `observer` is told of each attempt that fails, also where the next one goes well.
    """

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
        self._client: Any = None if isinstance(client, str) else client
        self._opening = threading.Lock()
        given: Any = self._client
        if given is not None and inspect.iscoroutinefunction(given.execute_command):
            raise TypeError("an asyncio client: use AsyncCart or AsyncRedisStore")
        self.keys = Keyspace(prefix, partitions)
        self._lender: Lender | None = None if given is None else lender_of(given, PoolLender)
        # What goes over its connections is repeated by nobody but this store.
        repeats = given is not None and self._lender is None and repeats_by_itself(given)
        noted = noted_over(given) if index else None
        self._terms = Terms(deadline, repeats, durability_of(durability, replicas), noted, observer)
        self._patience = self._terms.patience

    def execute(self, cart_id: str, operation: Operation[Result], /) -> Result:
        """Executes the operation as one command or script call."""
        if self._terms.durability is not None and isinstance(operation, Change):
            flow: Flow[Result] = exchange(self.keys, self._terms, cart_id, operation)
            return run(flow, self._do)
        begun: Any = begin(self.keys, self._terms, cart_id, operation)
        result: Result
        try:
            reply = self._do(begun.first)
        except Exception as error:
            result = run(begun.flow(error), self._do)
        except BaseException as error:
            begun.broken_off(error)
            raise
        else:
            result = begun.done(reply)
            if result is MORE:
                result = run(begun.flow(reply), self._do)
        return result

    def ask(self, key: str, command: tuple[Argument, ...]) -> Any:
        """The reply to a command for what is beside the carts. It is sent once."""
        return self._do(Send(key, command, self._terms.deadline))

    def close(self) -> None:
        """Closes the client if this store opened it; another is opened when it is needed."""
        with self._opening:
            if self._address is not None and self._client is not None:
                self._client.close()
                self._client = self._lender = None

    def _do(self, step: Send | Wait) -> Any:
        if isinstance(step, Wait):
            return time.sleep(step.seconds)
        client = self._client or self._opened(self._address)
        lender, commands = self._lender, (step.command, *step.aside)
        if step.ask is not None:
            asked = (*commands, step.ask)
            replies = send_all(lender, asked) if lender else send_together(client, step.key, asked)
            return replies[0], replies[-1]
        if self._address is not None and (server := self._server_of_last_attempt(step)):
            with open_client(server, step.seconds) as last:
                return send_one(PoolLender(last.connection_pool), step.command)
        if lender is None:
            if is_cluster(client):
                return first_reply(send_together(client, step.key, commands))
            return _asked_itself(client, step)
        if step.aside:
            return first_reply(send_all(lender, commands))
        return send_one(lender, step.command)

    def _server_of_last_attempt(self, step: Send) -> Address | None:
        """Where an attempt is to have a connection of its own, which ends with the deadline.

        A hung engine hangs the handshake of a new connection, too, so it is not the reply alone. A
        cluster or Sentinel first has to be asked for its servers: there it would take longer.
        """
        address = self._address
        if address is None or address.kind or step.seconds >= self._patience:
            return None
        return address

    def _opened(self, address: Address | None) -> Any:
        # Here and not when the store is made, since a cluster's client asks its nodes at once.
        with self._opening:
            if self._client is None and address is not None:
                client = open_client(address, self._terms.patience)
                self._lender = lender_of(client, KeepingLender)
                self._client = client
            return self._client


def _asked_itself(client: Any, step: Send) -> Any:
    """The reply by a client that has its own way to ask, and may know no other."""
    reply = client.execute_command(*in_utf8(step.command), **UNDECODED)
    for command in step.aside:
        with contextlib.suppress(Exception):
            client.execute_command(*in_utf8(command), **UNDECODED)
    return reply
