"""The service's HTTP protocol on httptools."""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ecart.http.problems import HttpError
from ecart_server.app.protocol import ClientTimeouts
from ecart_server.app.request_head import check_header_lines, check_target_size, normalized_head
from ecart_server.app.request_limits import RequestLimits, bad_request


class HttptoolsProtocol(ClientTimeouts, RequestLimits, HttpToolsProtocol):
    """HTTP/1.1 with the parser httptools, whose callbacks follow a request as it comes."""

    url = b""
    """The target so far; there is none before the first request line begins."""
    _is_resuming = False

    def is_ahead(self) -> bool:
        """Whether uvicorn's queue of pipelined requests has any."""
        return bool(self.pipeline)

    def feed(self, piece: bytes) -> None:
        """Calls the callbacks below for what is in the piece."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._resume_in_body(piece[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise cause if isinstance(cause, HttpError) else bad_request() from error

    def _resume_in_body(self, rest: bytes) -> None:
        """Replaces the parser, which skips a body after `Upgrade`, by one that expects it."""
        framing = (b"content-length", b"transfer-encoding")
        lines = [b"%s: %s\r\n" % line for line in self.headers if line[0] in framing]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self._is_resuming = True
        self.feed(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(lines))
        self._is_resuming = False
        self.feed(rest)

    def target_so_far(self) -> bytes:
        """What `on_url` has brought."""
        return self.url

    def on_message_begin(self) -> None:
        """Begins a request."""
        if not self._is_resuming:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Takes a part of the target."""
        if not self._is_resuming:
            super().on_url(url)
            check_target_size(self.url)  # before it grows by one packet after the other

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a line of the head; those of trailers are dropped."""
        if self._place == "head":
            super().on_header(name, value)
            check_header_lines(self.headers[-1:])

    def on_headers_complete(self) -> None:
        """Checks the head, and starts the application."""
        if self._is_resuming:
            return
        version = self.parser.get_http_version().encode()
        method = self.parser.get_method()
        self.url, self.headers[:] = normalized_head(method, self.url, version, self.headers)
        self.head_ended()
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Begins a chunk."""
        self.data_found(0, is_new_chunk=True)

    def on_body(self, body: bytes) -> None:
        """Takes data of the body."""
        self.data_found(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends the request, if its body was not skipped."""
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self.message_expected()
