"""Coalesces the writes of one iteration of the event loop: one send for each response, not two.

uvicorn writes the head of a response and then its body. A transport of asyncio makes a system call
for each write, and each wakes the reader, such as a proxy on the same machine. On a busy worker
these wake-ups were the largest single cost (decision 39). ASGI allows the head to wait for a body.

`BufferedTransport` stands between uvicorn's protocol and the transport. A first write is buffered,
and the transport is registered with the `WriteCoalescer` of its event loop, which flushes all that
are registered in a callback: after the other callbacks of this iteration. Redis sends its replies
in the same way, before it polls again. A transport is flushed earlier in these cases:

- At its second write, the body, unless the loop is busy: then the response goes out at once, in one
  call. The loop is busy if `BUSY_RESPONSES` or more were flushed at the end of the last iteration.
  Then the responses of this one go out one after the other, and the reader wakes up once for many.
- At its third write: it is a stream, such as `/cart/events`. Streams are not delayed, so that the
  transport can tell its writer to pause (flow control).
- Before it is closed. `abort` discards the buffer, as a transport does.

While the client is still sending, a socket that is closed would reset the connection, and the
client might not see its response (RFC 9112 §9.6). So then only our side is closed at first, and
what comes is discarded, for at most `LINGER_SECONDS` and `LINGER_BYTES`.

So a response waits at most until the end of its iteration, in which the worker serves others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

BUSY_RESPONSES = 4
"""Responses flushed at the end of an iteration from which on the next one counts as busy."""

LINGER_SECONDS = 1.0
LINGER_BYTES = 262_144
MAX_BUFFERED_WRITES = 2
"""Writes of a response: its head and its body. One with more is a stream."""


class WriteCoalescer:
    """The transports of one event loop that have something to send in this iteration."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_busy = False
        self.loop = loop
        self._waiting: list[BufferedTransport] = []

    def add(self, transport: BufferedTransport) -> None:
        """Flushes the transport after the other callbacks of this iteration."""
        if not self._waiting:
            self.loop.call_soon(self._flush)
        self._waiting.append(transport)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.is_busy = len(waiting) >= BUSY_RESPONSES
        for transport in waiting:
            transport.flush()


class BufferedTransport:
    """A transport that buffers writes; everything else goes to the transport given.

    `is_client_sending` says whether `close` is to linger.
    """

    __slots__ = (
        *("_chunks", "_coalescer", "_discarded", "_is_client_sending", "_transport"),
        *("_is_held", "_is_paused", "is_closing"),
    )

    def __init__(
        self,
        transport: asyncio.BaseTransport,
        coalescer: WriteCoalescer,
        is_client_sending: Callable[[], bool] = lambda: False,
    ) -> None:
        self._transport: Any = transport
        self._coalescer = coalescer
        self._is_client_sending = is_client_sending
        self._chunks: list[bytes] = []
        self._discarded = 0
        self._is_held = self._is_paused = False
        self.is_closing = transport.is_closing  # bound here, since each response calls it

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends a chunk together with the next one, or at the end of the iteration."""
        chunks = self._chunks
        chunks.append(data)
        if len(chunks) == 1:
            self._coalescer.add(self)
        elif not self._coalescer.is_busy or len(chunks) > MAX_BUFFERED_WRITES:
            self.flush()

    def flush(self) -> None:
        """Sends the buffer, unless the connection has been lost meanwhile."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        if data and not self.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Reads nothing until `resume_reading`."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again, unless reading is held."""
        self._is_paused = False
        if not self._is_held:
            self._transport.resume_reading()

    def hold_reading(self) -> None:
        """Reads nothing until `release_reading`, whoever pauses and resumes meanwhile."""
        self._is_held = True
        self._transport.pause_reading()

    def release_reading(self) -> None:
        """Reads again, unless reading is paused."""
        self._is_held = False
        if not self._is_paused:
            self._transport.resume_reading()

    def close(self) -> None:
        """Sends the buffer, and closes; of a client that is still sending, our side first."""
        self.flush()
        if self.is_closing():
            return
        if self._is_client_sending() and self._transport.can_write_eof():
            self.is_closing = lambda: True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._coalescer.loop.call_later(LINGER_SECONDS, self._transport.abort)
        else:
            self._transport.close()

    def discard(self, size: int) -> None:
        """Counts what came after `close`; too much of it ends the connection."""
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            self._transport.abort()

    def abort(self) -> None:
        """Closes at once; the buffer is discarded."""
        self._chunks.clear()
        self._transport.abort()


_coalescers: WeakKeyDictionary[asyncio.AbstractEventLoop, WriteCoalescer] = WeakKeyDictionary()


def coalescer_of(loop: asyncio.AbstractEventLoop) -> WriteCoalescer:
    """The coalescer of an event loop; each loop has one."""
    found = _coalescers.get(loop)
    if found is None:
        found = _coalescers[loop] = WriteCoalescer(loop)
    return found
