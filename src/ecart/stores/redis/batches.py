"""Commands that become ready in one turn of an event loop go out together, over one connection.

Each caller gets its own reply or error. Who stops waiting stops nobody else, and no connection:
what has been sent is read to its end.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from ecart.stores.redis.lenders_async import AsyncLender
from ecart.stores.redis.pooled import Command
from ecart.stores.redis.pooled_async import send_over

LARGEST = 64
"""Reads over one connection; while the engine works on the next ones, these are read."""

SCRIPT = 4
"""Reads that a script counts as: it keeps the engine as much longer, and so fewer go together."""

ROUNDS = 100
"""Batches over a connection before it goes back to its pool, where others may wait for it."""

_SCRIPTS = ("EVALSHA", "EVAL")

_Entry = tuple[Command, asyncio.Future[Any], tuple[Command, ...]]


class Batches:
    """The commands of one pool, in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: list[_Entry] = []
        self._sending: set[asyncio.Task[None]] = set()

    def add(
        self,
        lender: AsyncLender,
        command: Command,
        seconds: float | None,
        aside: tuple[Command, ...] = (),
    ) -> asyncio.Future[Any]:
        """The reply to come, within so many seconds; None: in those of the connection.

        `aside` goes along, and its replies are dropped.
        """
        if not self._ready:
            self._loop.call_soon(self._send, lender, seconds)
        reply = self._loop.create_future()
        self._ready.append((command, reply, aside))
        return reply

    def _send(self, lender: AsyncLender, seconds: float | None) -> None:
        while batch := self._taken():
            task = self._loop.create_task(self._deliver(lender, batch, seconds))
            self._sending.add(task)  # or it could be collected while it runs
            task.add_done_callback(self._sending.discard)

    def _taken(self) -> list[_Entry]:
        """The next batch; who has stopped waiting by now has sent nothing."""
        batch: list[_Entry] = []
        room, taken = LARGEST, 0
        for entry in self._ready:
            taken += 1
            if not entry[1].done():
                batch.append(entry)
                room -= SCRIPT if entry[0][0] in _SCRIPTS else 1
                if room <= 0:
                    break
        del self._ready[:taken]
        return batch

    async def _deliver(
        self, lender: AsyncLender, batch: list[_Entry], seconds: float | None
    ) -> None:
        """Delivers a batch, and over the same connection what those answered have to say next."""
        connection, rounds, returned = None, 0, lender.give_up
        try:
            while batch:
                async with asyncio.timeout(seconds):
                    connection = connection or await lender.take()
                    replies = await send_over(connection, _commands_of(batch))
                _settle(batch, replies)
                await asyncio.sleep(0)
                rounds += 1
                batch = self._taken() if rounds < ROUNDS else []
            returned = lender.give_back
        except Exception as error:
            _settle(batch, [error] * len(batch))
        except BaseException:  # the loop is ending
            for _, reply, _ in batch:
                reply.cancel()
            raise
        finally:
            if connection is not None:
                await returned(connection)


def _commands_of(batch: list[_Entry]) -> list[Command]:
    commands = [command for command, _, _ in batch]
    for _, _, aside in batch:
        commands += aside
    return commands


def _settle(batch: list[_Entry], replies: list[Any]) -> None:
    for (_, reply, _), answer in zip(batch, replies, strict=False):  # then what went along
        if reply.done():
            continue
        if isinstance(answer, Exception):
            reply.set_exception(answer)
        else:
            reply.set_result(answer)


# Found again by the pool, so that handles made for each request share what is ready.
_batches: WeakKeyDictionary[Any, Batches] = WeakKeyDictionary()


def batches_of(pool: Any) -> Batches:
    """The batches of a pool in the running loop."""
    loop = asyncio.get_running_loop()
    found = _batches.get(pool)
    if found is None or found._loop is not loop:
        found = _batches[pool] = Batches(loop)
    return found
