"""Commands that become ready in one turn of an event loop go out together, over one connection.

Each caller gets its own reply or error. Who stops waiting stops nobody else, and no connection:
what has been sent is read to its end.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from ecart.stores.redis.pooled import Command, send_all_async

LARGEST = 16
"""Commands over one connection; while the engine works on the next ones, these are read."""


_Entry = tuple[Command, asyncio.Future[Any], tuple[Command, ...]]


class Batches:
    """The commands of one pool, in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: list[_Entry] = []
        self._sending: set[asyncio.Task[None]] = set()

    def add(
        self, pool: Any, command: Command, seconds: float | None, aside: tuple[Command, ...] = ()
    ) -> asyncio.Future[Any]:
        """The reply to come, within so many seconds; None: in those of the connection.

        `aside` goes along, and its replies are dropped.
        """
        if not self._ready:
            self._loop.call_soon(self._send, pool, seconds)
        reply = self._loop.create_future()
        self._ready.append((command, reply, aside))
        return reply

    def _send(self, pool: Any, seconds: float | None) -> None:
        # At the end of the turn; who has stopped waiting by then has sent nothing.
        ready, self._ready = self._ready, []
        waited_for = [entry for entry in ready if not entry[1].done()]
        for start in range(0, len(waited_for), LARGEST):
            batch = waited_for[start : start + LARGEST]
            task = self._loop.create_task(_deliver(pool, batch, seconds))
            self._sending.add(task)  # or it could be collected while it runs
            task.add_done_callback(self._sending.discard)


async def _deliver(pool: Any, batch: list[_Entry], seconds: float | None) -> None:
    try:
        commands = [command for command, _, _ in batch]
        commands += [command for _, _, aside in batch for command in aside]
        replies = await send_all_async(pool, commands, seconds)
    except BaseException as error:
        replies = [error] * len(batch)
        if not isinstance(error, Exception):  # the loop is ending
            for _, reply, _ in batch:
                reply.cancel()
            raise
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
