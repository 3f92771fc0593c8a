"""Time-outs for idle and slow clients, which uvicorn lacks: it waits for ever for a request's head.

Each connection has one timer, and no request sets or cancels one, so the time-out costs a request
nothing. The timer checks every `CHECK_SECONDS` whether the connection waits for its client. If it
does at two checks in a row, within the same request, the client is cut off: after one to two
intervals. A body has a time-out of its own, in the application that reads it.

The parser is uvicorn's: httptools where it is installed, else h11. This module uses what both have:
`transport`, `loop`, `shutdown`, and `cycle`, the latest request.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any

from ecart_server.app.write_coalescing import BufferedTransport, coalescer_of

CHECK_SECONDS = 10.0
"""Between two checks of a connection."""
SHUTDOWN_SECONDS = 3.0
"""How long a shutdown waits for clients that have not sent a body or not read a response."""

ON_SHUTDOWN = "ecart.on_shutdown"
"""The key of the lifespan state under which an app may put a function that ends its streams. It is
called at a shutdown, for streams would go on for ever."""


class ClientTimeouts(asyncio.Protocol):
    """Aborts the connections of clients that do not send a head or do not read a response.

    To be put before `RequestLimits` and a protocol of uvicorn among the bases of a class.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    cycle: Any
    app_state: dict[str, Any]
    has_unread_body: Callable[[], bool]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the timer; the first head is due from now on."""
        coalescer = coalescer_of(self.loop)
        buffered: Any = BufferedTransport(transport, coalescer, self.has_unread_body)
        super().connection_made(buffered)
        self._was_waiting, self._last_cycle = True, self.cycle
        self._timer = self.loop.call_later(CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancels the timer."""
        self._timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Finishes running requests, with a shorter time-out for their clients."""
        super().shutdown()  # type: ignore[misc]  # uvicorn's, not asyncio's
        self.app_state.get(ON_SHUTDOWN, lambda: None)()
        self._timer.cancel()
        self._timer = self.loop.call_later(SHUTDOWN_SECONDS, self._check_at_shutdown)

    def _check(self) -> None:
        is_waiting = self._is_waiting_for_client()
        if is_waiting and self._was_waiting and self.cycle is self._last_cycle:
            self.transport.abort()
            return
        self._was_waiting, self._last_cycle = is_waiting, self.cycle
        self._timer = self.loop.call_later(CHECK_SECONDS, self._check)

    def _check_at_shutdown(self) -> None:
        if self._is_waiting_for_client() or self.cycle.more_body:
            self.transport.abort()

    def _is_waiting_for_client(self) -> bool:
        """Whether no request is in progress, or the client does not read our response."""
        has_request = self.cycle is not None and not self.cycle.response_complete
        return not has_request or self.transport.get_write_buffer_size() > 0


def service_protocol() -> type[asyncio.Protocol]:
    """The HTTP protocol of `ecart serve`: on httptools where it is installed, else on h11."""
    if importlib.util.find_spec("httptools"):
        from ecart_server.app.httptools_protocol import HttptoolsProtocol

        return HttptoolsProtocol
    from ecart_server.app.h11_protocol import H11Protocol

    return H11Protocol
