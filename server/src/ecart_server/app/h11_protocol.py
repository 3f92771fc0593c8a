"""The service's HTTP protocol on h11, for where httptools is not installed."""

from __future__ import annotations

from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol as UvicornProtocol

from ecart.http.problems import HttpError
from ecart_server.app.protocol import ClientTimeouts
from ecart_server.app.request_head import MAX_HEAD_BYTES, normalized_head, unknown_transfer_coding
from ecart_server.app.request_limits import RequestLimits, bad_request


class H11Protocol(ClientTimeouts, RequestLimits, UvicornProtocol):
    """HTTP/1.1 with the parser h11, which is asked for one event after the other."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Connection(self)

    def is_ahead(self) -> bool:
        """Whether h11 pauses: it parses nothing more before the response."""
        return self._place == "done"

    def feed(self, piece: bytes) -> None:
        """Handles the events in the piece."""
        self._unset_keepalive_if_required()
        self.conn.receive_data(piece)
        self.handle_events()

    def handle_events(self) -> None:
        """Handles what can be; also called by uvicorn, after a response."""
        try:
            super().handle_events()
        except HttpError as error:
            self.refuse(error)

    def target_so_far(self) -> bytes:
        """What is before the second space."""
        return self.conn.trailing_data[0].partition(b" ")[2].partition(b" ")[0]


class _Connection(h11.Connection):
    """h11's view of a connection, whose events are checked."""

    def __init__(self, limits: RequestLimits) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=2 * MAX_HEAD_BYTES)
        self._limits = limits

    def next_event(self) -> Any:
        """What came next.

        Raises:
            HttpError: it is refused.
        """
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 501:
                raise unknown_transfer_coding() from error
            raise bad_request() from error
        if isinstance(event, h11.Request):
            self._limits.head_ended()
            return _normalized(event)
        if isinstance(event, h11.Data):
            self._limits.data_found(len(event.data), event.chunk_start)
        elif isinstance(event, h11.EndOfMessage):
            self._limits.message_ended()
        return event

    def start_next_cycle(self) -> None:
        """Prepares for another request."""
        super().start_next_cycle()
        self._limits.message_expected()


def _normalized(event: h11.Request) -> h11.Request:
    given = list(event.headers)
    target, lines = normalized_head(event.method, event.target, event.http_version, given)
    if target == event.target and lines == given:
        return event
    version = event.http_version
    return h11.Request(method=event.method, target=target, headers=lines, http_version=version)
