"""What is written to clients in one turn of the event loop, sent at its end.

uvicorn writes the head of an answer, then its body, each a call of the system, and each wakes
whoever reads: a proxy on this machine, say. While many requests are answered, waking was the most
expensive thing that a worker did (decision 39). Redis, too, sends its replies at the end of a turn.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

MANY = 4
"""Answers of the last turn from which on those of this one wait for each other."""

WHOLE = 2
"""Pieces of an answer, its head and its body. What has more is a stream, which is not held up."""


class Outbox:
    """The transports of one event loop that have something to send in this turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_busy = False
        self._loop = loop
        self._waiting: list[HeldTransport] = []

    def add(self, transport: HeldTransport) -> None:
        """Has the transport send when the turn is over."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(transport)

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.is_busy = len(waiting) >= MANY
        for transport in waiting:
            transport.flush()


class HeldTransport:
    """A transport of a connection whose answers go by an outbox; in all else the one given."""

    __slots__ = ("_outbox", "_pieces", "_transport", "is_closing")

    def __init__(self, transport: asyncio.BaseTransport, outbox: Outbox) -> None:
        self._transport: Any = transport
        self._outbox = outbox
        self._pieces: list[bytes] = []
        self.is_closing = transport.is_closing  # asked after each answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends a piece with the next one, or when the turn is over."""
        pieces = self._pieces
        pieces.append(data)
        if len(pieces) == 1:
            self._outbox.add(self)
        elif not self._outbox.is_busy or len(pieces) > WHOLE:
            self.flush()

    def flush(self) -> None:
        """Sends what is here, unless the connection has been lost meanwhile."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        if data and not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Sends what is here, and closes."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Closes at once; what is here is not sent."""
        self._pieces.clear()
        self._transport.abort()


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


def outbox_of(loop: asyncio.AbstractEventLoop) -> Outbox:
    """The outbox of an event loop."""
    found = _outboxes.get(loop)
    if found is None:
        found = _outboxes[loop] = Outbox(loop)
    return found
