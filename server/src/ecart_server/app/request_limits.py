"""Limits of what a connection takes in, for both parsers of uvicorn: httptools and h11.

uvicorn bounds a body by flow control, and nothing else: a head grows for as long as lines come, a
body that was refused is parsed on to its end, and of what one read brings, up to 256 KiB, all is
parsed at once, be it thousands of requests. `RequestLimits` stands before the parser, and feeds it
in pieces:

- One piece in each iteration of the event loop, so that other clients are served in between. A
  client that pipelines requests (RFC 9112 §9.3.2) waits for responses after each piece: no more of
  its requests wait than one piece holds. What has not been fed is the backlog. Nothing is read from
  the client while there is one, so it is never more than what one read has brought.
- No piece can hold much that was not counted yet.

It counts

- the bytes of a head that has not ended (431 `head_too_large`, 414 `target_too_long`),
- the bytes of a body that are not its data: chunk extensions and trailers (400), which no
  application sees,
- what comes of a body after its response: such a connection is closed.

The parser's subclass says where it is: in a head or in a body, and what the latter's data is. When
the head is complete, `normalized_head` checks it once more as a whole.

A refused request ends its connection. What the client still sends is discarded, not parsed, for a
short time (`BufferedTransport.close`): a socket that is closed with unread data resets the
connection, and the client could not read why (RFC 9112 §9.6).

`Upgrade` is ignored, as RFC 9110 §7.8 allows: Java's HttpClient and `curl --http2` offer h2c with
any request, and go on with HTTP/1.1. httptools would skip the body then, so its parser is replaced
by one that is in the same place of the same body.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from http import HTTPStatus
from typing import Any, Literal

from ecart.http.api import complete_refusal
from ecart.http.problems import HttpError
from ecart_server.app.request_head import (
    MAX_HEAD_BYTES,
    check_framing_size,
    refusal_of_endless_head,
)

PIECE_BYTES = 4096
"""Fed to the parser at once."""
CHUNK_BYTES = 16
"""Around the data of a chunk: its size in hex, and two line ends."""
MAX_UNREAD_BYTES = 65_536
"""Of a body after its response, on a connection that could go on."""

Place = Literal["head", "body", "done"]


def bad_request() -> HttpError:
    """The refusal of what a parser cannot read."""
    return HttpError("invalid_request", "this is no HTTP/1.1 request (RFC 9112)")


class RequestLimits(asyncio.Protocol, ABC):
    """Counts what comes, and ends a connection that goes beyond the limits.

    To be put before a protocol of uvicorn among the bases of a class.
    """

    loop: asyncio.AbstractEventLoop
    transport: Any
    cycle: Any
    logger: logging.Logger

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins in the first head."""
        self._backlog = bytearray()
        self._next_piece: asyncio.Handle | None = None
        self._place: Place = "head"
        self._messages = 0
        self._head_bytes = self._framing_bytes = self._unread_bytes = 0
        self._refusal: HttpError | None = None
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops the backlog."""
        self._drop_backlog()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses the data at once if it is one piece, as most requests are."""
        if self.transport.is_closing():
            self.transport.discard(len(data))
        elif self._refusal is not None:
            return
        elif self._backlog or self.is_ahead() or self._head_bytes or len(data) > PIECE_BYTES:
            self._backlog += data
            self.transport.hold_reading()
            self._schedule_piece()
        else:
            self._feed_and_count(data)

    def _schedule_piece(self) -> None:
        """Has a piece parsed in the next iteration of the event loop, or after a response."""
        if self._next_piece is None and not self.is_ahead():
            self._next_piece = self.loop.call_soon(self._parse_piece)

    def _parse_piece(self) -> None:
        self._next_piece = None
        if not self._has_ended():
            room = min(PIECE_BYTES, MAX_HEAD_BYTES - self._head_bytes)
            piece = bytes(self._backlog[:room])
            del self._backlog[:room]
            self._feed_and_count(piece)
        if self._has_ended():
            self._drop_backlog()
        elif self._backlog:
            self._schedule_piece()
        else:
            self.transport.release_reading()

    def _has_ended(self) -> bool:
        """Whether nothing more of the connection is to be parsed."""
        return self._refusal is not None or self.transport.is_closing()

    def _drop_backlog(self) -> None:
        self._backlog.clear()
        if self._next_piece is not None:
            self._next_piece.cancel()
            self._next_piece = None

    def _feed_and_count(self, piece: bytes) -> None:
        where = self._place, self._messages
        try:
            self.feed(piece)
            if where == (self._place, self._messages):
                self._count(len(piece))
            else:  # the piece has the end of one and the beginning of another
                self._head_bytes = self._framing_bytes = self._unread_bytes = 0
        except HttpError as error:
            self.refuse(error)

    def _count(self, size: int) -> None:
        if self._place == "head":
            self._head_bytes += size
            if self._head_bytes >= MAX_HEAD_BYTES:
                self.refuse(refusal_of_endless_head(self.target_so_far()))
        elif self._place == "body":
            self._framing_bytes += size
            check_framing_size(self._framing_bytes)
            if self.cycle is not None and self.cycle.response_complete:
                self._unread_bytes += size
                if self._unread_bytes > MAX_UNREAD_BYTES:
                    self.transport.abort()

    def head_ended(self) -> None:
        """The parser is in a body now, which may be empty."""
        self._place = "body"

    def message_ended(self) -> None:
        """The parser takes nothing more before the response."""
        self._place = "done"

    def message_expected(self) -> None:
        """The parser is in the head of another request now."""
        self._place = "head"
        self._messages += 1

    def data_found(self, size: int, is_new_chunk: bool = False) -> None:
        """So much of a body was its data."""
        self._framing_bytes -= size + (CHUNK_BYTES if is_new_chunk else 0)

    def has_unread_body(self) -> bool:
        """Whether the client is still sending what nobody reads any more."""
        return self._refusal is not None or (self.cycle is not None and self.cycle.more_body)

    def refuse(self, error: HttpError) -> None:
        """Answers with the error as soon as the responses before it are complete, and closes."""
        if self._refusal is not None:
            return
        self._refusal, cycle = error, self.cycle
        self.logger.warning("refused a request: %s: %s", error.wire_code, error)
        if cycle is None or cycle.response_complete:
            self._send_refusal(error)
        elif self._place == "body" and not cycle.response_started:
            # The application waits for this body; for it, the client has gone.
            cycle.disconnected = True
            cycle.message_event.set()
            self._send_refusal(error)
        else:
            self.transport.pause_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP; called by uvicorn."""
        self.refuse(bad_request())

    def on_response_complete(self) -> None:
        """Sends a refusal that has waited for this response, or goes on with the backlog."""
        super().on_response_complete()  # type: ignore[misc]  # uvicorn's, not asyncio's
        if self._refusal is not None and self.cycle.response_complete:
            self._send_refusal(self._refusal)
        if self._backlog:
            self._schedule_piece()

    def _send_refusal(self, error: HttpError) -> None:
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()  # type: ignore[attr-defined]
        answer = complete_refusal(error)
        status = HTTPStatus(answer.status)
        lines = [
            f"HTTP/1.1 {answer.status} {status.phrase}",
            *map(": ".join, answer.headers.items()),
        ]
        head = "\r\n".join([*lines, "Connection: close", "", ""])
        self.transport.write(head.encode("latin-1") + answer.body)
        self.transport.close()

    def _should_upgrade(self) -> bool:
        return False

    @abstractmethod
    def is_ahead(self) -> bool:
        """Whether requests have been parsed that wait for the response to an earlier one."""

    @abstractmethod
    def feed(self, piece: bytes) -> None:
        """Gives the parser a piece.

        Raises:
            HttpError: it is refused.
        """

    @abstractmethod
    def target_so_far(self) -> bytes:
        """The request target of a head that has not ended, as far as the parser shows it."""
