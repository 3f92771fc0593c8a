"""How long a connection waits for its client; uvicorn itself waits for ever for a head.

The parser is uvicorn's, httptools where it is installed, else h11. Of both, this uses what they
have alike: `transport`, `loop`, `shutdown`, and `cycle`, the request that came last.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ecart_server.app.write_coalescing import HeldTransport, outbox_of

LOOK_SECONDS = 10.0
"""Between two looks at a connection. Who is waited for at both, in the same request, is cut off."""
LAST_CALL_SECONDS = 3.0
"""How long a client that owes something may take when the service has been told to stop."""

ON_LAST_CALL = "ecart.on_last_call"
"""Under this name, an app's lifespan state may have a function to call when the service is to stop:
its streams, which would go on for ever, end then."""


class Bounded(asyncio.Protocol):
    """Cuts off clients that do not send a head, or do not take an answer, in 10 to 20 seconds.

    One timer per connection and none per request. A body is the application's to wait for.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    cycle: Any
    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for the first head from now on."""
        held: Any = HeldTransport(transport, outbox_of(self.loop))
        super().connection_made(held)
        self._waited, self._seen = True, self.cycle
        self._next = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing to look at any more."""
        self._next.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Lets what runs finish, but not at the leisure of the client."""
        super().shutdown()  # type: ignore[misc]  # uvicorn's, not asyncio's
        self.app_state.get(ON_LAST_CALL, lambda: None)()
        self._next.cancel()
        self._next = self.loop.call_later(LAST_CALL_SECONDS, self._call_last)

    def _look(self) -> None:
        waits = self._waits()
        if waits and self._waited and self.cycle is self._seen:
            self.transport.abort()
            return
        self._waited, self._seen = waits, self.cycle
        self._next = self.loop.call_later(LOOK_SECONDS, self._look)

    def _call_last(self) -> None:
        if self._waits() or self.cycle.more_body:
            self.transport.abort()

    def _waits(self) -> bool:
        """Whether a head is to come, or an answer lies here that the client does not take."""
        has_request = self.cycle is not None and not self.cycle.response_complete
        return not has_request or self.transport.get_write_buffer_size() > 0


class BoundedProtocol(Bounded, AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """What `ecart serve` speaks."""
