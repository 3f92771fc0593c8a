"""Batches: commands that become ready in one event loop iteration go out in one packet.

Many tasks that each await one small command would each acquire a connection, make a system call to
write and one to read. Automatic pipelining, as in ioredis or lettuce, removes most of that: the
first command of an iteration schedules a callback with `call_soon`, which runs after all tasks
that are ready now have added theirs. The callback cuts what has collected into batches, and a task
per batch acquires one connection, writes the batch in one packet, and hands each caller its reply.

Four rules keep that fair and safe:

- A batch is bounded by `MAX_READS`, so that replies are read while the engine works on the next
  batch. A script counts as `SCRIPT_WEIGHT` reads.
- A caller that is cancelled before its batch is cut has sent nothing. Afterwards its reply is read
  and dropped; neither the other callers nor the connection notice.
- Callers that were answered often have a next command at once. The connection carries up to
  `MAX_ROUNDS` batches in a row before it is released for others.
- An error of the connection fails all callers of its batch, each with the same exception; a
  server error only its own caller. Who may repeat what is for `retries` to decide.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from ecart.stores.redis.transport.async_connections import AsyncConnectionSource
from ecart.stores.redis.transport.async_wire import send_batch
from ecart.stores.redis.transport.wire import Command

MAX_READS = 64
"""Reads in one batch."""

SCRIPT_WEIGHT = 4
"""A script fills a batch like this many reads, since it runs longer."""

MAX_ROUNDS = 100
"""Batches over one connection before it is released."""

_SCRIPTS = ("EVALSHA", "EVAL")

_Entry = tuple[Command, asyncio.Future[Any], tuple[Command, ...]]


class Batcher:
    """Collects the commands of one pool in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._pending: list[_Entry] = []
        self._deliveries: set[asyncio.Task[None]] = set()

    def add(
        self,
        source: AsyncConnectionSource,
        command: Command,
        seconds: float | None,
        piggyback: tuple[Command, ...] = (),
    ) -> asyncio.Future[Any]:
        """The reply to come, within `seconds`; None: within the connection's own time-out.

        `piggyback` is sent in the same packet, and its replies are dropped.
        """
        if not self._pending:
            self.loop.call_soon(self._send, source, seconds)
        reply = self.loop.create_future()
        self._pending.append((command, reply, piggyback))
        return reply

    def _send(self, source: AsyncConnectionSource, seconds: float | None) -> None:
        while batch := self._next_batch():
            task = self.loop.create_task(self._deliver(source, batch, seconds))
            self._deliveries.add(task)  # or it could be collected while it runs
            task.add_done_callback(self._deliveries.discard)

    def _next_batch(self) -> list[_Entry]:
        batch: list[_Entry] = []
        room, taken = MAX_READS, 0
        for entry in self._pending:
            taken += 1
            if not entry[1].done():
                batch.append(entry)
                room -= SCRIPT_WEIGHT if entry[0][0] in _SCRIPTS else 1
                if room <= 0:
                    break
        del self._pending[:taken]
        return batch

    async def _deliver(
        self, source: AsyncConnectionSource, batch: list[_Entry], seconds: float | None
    ) -> None:
        """Sends a batch, and over the same connection what its callers have to send next."""
        connection, rounds, put_back = None, 0, source.discard
        try:
            while batch:
                async with asyncio.timeout(seconds):
                    connection = connection or await source.acquire()
                    replies = await send_batch(connection, _commands_of(batch))
                _resolve(batch, replies)
                await asyncio.sleep(0)
                rounds += 1
                batch = self._next_batch() if rounds < MAX_ROUNDS else []
            put_back = source.release
        except Exception as error:
            _resolve(batch, [error] * len(batch))
        except BaseException:  # the loop is ending
            for _, reply, _ in batch:
                reply.cancel()
            raise
        finally:
            if connection is not None:
                await put_back(connection)


def _commands_of(batch: list[_Entry]) -> list[Command]:
    commands = [command for command, _, _ in batch]
    for _, _, piggyback in batch:
        commands += piggyback
    return commands


def _resolve(batch: list[_Entry], replies: list[Any]) -> None:
    for (_, future, _), reply in zip(batch, replies, strict=False):  # the rest are piggybacks
        if future.done():
            continue
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)


# By pool, so that stores made for each request on one client share their batches.
_batchers: WeakKeyDictionary[Any, Batcher] = WeakKeyDictionary()


def batcher_of(pool: Any) -> Batcher:
    """The batcher of a pool in the running loop."""
    loop = asyncio.get_running_loop()
    found = _batchers.get(pool)
    if found is None or found.loop is not loop:
        found = _batchers[pool] = Batcher(loop)
    return found
