"""Hostile requests to the service: work and memory in proportion to their size, and an answer.

The requests are those of `benchmarks/hostile_requests.py`; `python -m benchmarks hostile` shows how
long another visitor waits beside each.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.hostile_requests import ADMIN_KEY, OFFICE_KEY, ROWS, SECRET

from ecart.http import HttpSettings
from ecart_server.app.h11_protocol import H11Protocol
from ecart_server.app.httptools_protocol import HttptoolsProtocol
from ecart_server.app.request_limits import PIECE_BYTES
from ecart_server.settings import AdminSettings
from growth import square_in
from service.threaded import service_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine
    from serving import Service

NOISE = 0.5e-3
"""Seconds of a request that may be more for no reason of its own."""
PROTOCOLS = pytest.mark.parametrize(
    "protocol", [H11Protocol, HttptoolsProtocol], ids=["h11", "httptools"]
)
PIPELINED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = (
    b"POST /cart/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LARGEST_READ = 262_144
"""What asyncio and uvloop read at once."""
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def hostile_service(engine: Engine, protocol: Any) -> Iterator[int]:
    """The port of a service that knows the secrets of the requests."""
    http = HttpSettings(office_keys=(OFFICE_KEY,), accept_unknown_skus=True)
    admin = AdminSettings(key=ADMIN_KEY)
    with service_in_thread(engine, protocol, secrets=(SECRET,), http=http, admin=admin) as port:
        yield port


def exchanged(port: int, request: bytes) -> bytes:
    """What comes back until the server closes, read while the request is still being sent."""
    received, left = bytearray(), memoryview(request)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setblocking(False)
        while True:
            readable, writable, _ = select.select([client], [client] if left else [], [], 5)
            assert readable or writable, "no answer in 5 s"
            try:
                if writable:
                    left = left[client.send(left[:65_536]) :]
                if readable:
                    piece = client.recv(65_536)
                    if not piece:
                        return bytes(received)
                    received += piece
            except BlockingIOError:
                continue
            except ConnectionError:  # closed with bytes of ours unread, after its answer
                return bytes(received)


@PROTOCOLS
def test_work_grows_with_size(engine: Engine, protocol: Any) -> None:
    """Four times the size takes less than six times the processor time, and is no 5xx."""
    squares, failures = {}, {}
    with hostile_service(engine, protocol) as port:
        for row in ROWS:
            statuses: set[bytes] = set()

            def answered(request: bytes, statuses: set[bytes] = statuses) -> None:
                statuses.add(exchanged(port, request)[9:10])

            small, large = (row.on_wire(row.largest // part) for part in (4, 1))
            if square := square_in(answered, small, large, NOISE):
                squares[row.name] = square
            if not statuses <= {b"2", b"3", b"4"}:
                failures[row.name] = statuses

    assert (squares, failures) == ({}, {})


@PROTOCOLS
@pytest.mark.parametrize(
    ("request_", "responses"),
    [(PIPELINED * 3000, 3001), (CHUNKED + b"1\r\n \r\n" * 15_000 + b"0\r\n\r\n", 2)],
    ids=["requests", "chunks"],
)
def test_a_piece_an_iteration(
    engine: Engine, protocol: type[Any], request_: bytes, responses: int
) -> None:
    """Of what one read has brought, no iteration of the event loop parses more than a piece.

    So few pipelined requests wait at once, however many are sent.
    """
    fed: dict[int, int] = {}
    iteration, waiting = [0], [0]

    class Watched(protocol):  # type: ignore[misc]
        def feed(self, piece: bytes) -> None:
            super().feed(piece)
            if not fed:
                count(self.loop)
            fed[iteration[0]] = fed.get(iteration[0], 0) + len(piece)
            pipelined = len(getattr(self, "pipeline", ()))
            unparsed = len(self.conn.trailing_data[0]) if protocol is H11Protocol else 0
            waiting[0] = max(waiting[0], pipelined + unparsed // len(PIPELINED))

    def count(loop: asyncio.AbstractEventLoop) -> None:
        iteration[0] += 1
        loop.call_soon(count, loop)

    with hostile_service(engine, Watched) as port:
        received = exchanged(port, request_ + LAST)

    assert received.count(b"HTTP/1.1 ") == responses
    assert len(fed) > 20
    assert max(fed.values()) <= PIECE_BYTES
    assert waiting[0] <= PIECE_BYTES // len(PIPELINED) + 1


@PROTOCOLS
def test_what_has_been_read_is_bounded(engine: Engine, protocol: type[Any]) -> None:
    """No more is read while requests wait than the largest read brings, be it megabytes long."""
    backlogs = [0]

    class Watched(protocol):  # type: ignore[misc]
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            backlogs[0] = max(backlogs[0], len(self._backlog))

    request_ = PIPELINED.removesuffix(b"\r\n") + b"X: " + b"y" * 8000 + b"\r\n\r\n"
    with hostile_service(engine, Watched) as port:
        received = exchanged(port, request_ * 500 + LAST)

    assert received.count(b"HTTP/1.1 200") == 501
    assert PIECE_BYTES < backlogs[0] <= LARGEST_READ


@PROTOCOLS
def test_a_body_that_nobody_reads_is_bounded(engine: Engine, protocol: type[Any]) -> None:
    """While a page waits for the engine, the megabytes that come with the request wait outside."""
    bodies = [0]

    class Watched(protocol):  # type: ignore[misc]
        def feed(self, piece: bytes) -> None:
            super().feed(piece)
            bodies[0] = max(bodies[0], len(self.cycle.body))

    head = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % 2**23
    with hostile_service(engine, Watched) as port:
        with engine.connected() as client:
            client.client_pause(1000)
        exchanged(port, head + b"x" * 2**23)  # which is cut off then

    assert PIECE_BYTES < bodies[0] <= LARGEST_READ + 65_536


@PROTOCOLS
@pytest.mark.parametrize("size", [1, 999, PIECE_BYTES, PIECE_BYTES + 1, 50_000])
def test_a_pipeline_cut_anywhere(engine: Engine, protocol: Any, size: int) -> None:
    """However the requests come, each is answered once, in order."""
    requests = [
        b"GET /cart/operations/%04d HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (n, b"y" * (n % 90))
        for n in range(40 if size == 1 else 400)
    ]
    whole = b"".join(requests) + LAST

    with hostile_service(engine, protocol) as port:
        received = b""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(whole), size):
                client.sendall(whole[at : at + size])
            while piece := client.recv(65_536):
                received += piece

    assert received.count(b"HTTP/1.1 404") == len(requests)
    assert received.count(b"HTTP/1.1 200") == 1


@PROTOCOLS
@pytest.mark.parametrize("start", [b"\r\n" * 40_000, b"A" * 70_000], ids=["line ends", "letters"])
def test_a_head_without_a_first_line(engine: Engine, protocol: Any, start: bytes) -> None:
    """It is refused where the client can see it."""
    with hostile_service(engine, protocol) as port:
        received = exchanged(port, start)

    assert received[9:12] in (b"400", b"431")


def test_memory_is_bounded(serve: Callable[..., Service]) -> None:
    """While all of them are dealt with, the process never takes 48 MiB more than at rest."""
    env = {"ECART_SECRET": SECRET, "ECART_OFFICE_KEYS": OFFICE_KEY, "ECART_ADMIN_KEY": ADMIN_KEY}
    service = serve(env=env).ready()
    for row in ROWS:
        exchanged(service.port, row.on_wire(row.largest // 4))
    at_rest = memory_of(service.process.pid)["VmRSS"]
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")  # the peak begins anew

    for row in ROWS:
        exchanged(service.port, row.on_wire(4 * row.largest))

    assert memory_of(service.process.pid)["VmHWM"] - at_rest < 48 * 2**20


def memory_of(pid: int) -> dict[str, int]:
    """What the kernel counts of a process, in bytes."""
    rows = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if row[-1:] == ["kB"]}
