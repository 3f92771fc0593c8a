"""Responses of one event-loop iteration go out at its end, whole; none is lost or delayed."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from uvicorn import Config
from uvicorn.server import ServerState

from ecart_server.app.h11_protocol import H11Protocol
from ecart_server.app.httptools_protocol import HttptoolsProtocol
from ecart_server.app.write_coalescing import (
    BUSY_RESPONSES,
    BufferedTransport,
    WriteCoalescer,
    coalescer_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine
    from serving import Service


class RecordingTransport(asyncio.Transport):
    """Records the calls of its methods, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []
        self.closing = False

    def write(self, data: Any) -> None:
        self.calls.append(bytes(data))

    def close(self) -> None:
        self.calls.append("close")
        self.closing = True

    def abort(self) -> None:
        self.calls.append("abort")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 17


def buffered() -> tuple[RecordingTransport, Any]:
    real = RecordingTransport()
    return real, BufferedTransport(real, coalescer_of(asyncio.get_running_loop()))


def answer(transport: Any) -> None:
    """As uvicorn writes one."""
    transport.write(b"head ")
    transport.write(b"body")


async def after_an_iteration(answers: int) -> None:
    """One in which so many were written."""
    for _ in range(answers):
        buffered()[1].write(b"answer")
    await asyncio.sleep(0)


async def test_after_few_answers_head_and_body_go_at_once() -> None:
    """In one piece, and without waiting for the end of the iteration."""
    await after_an_iteration(BUSY_RESPONSES - 1)
    real, transport = buffered()

    answer(transport)

    assert real.calls == [b"head body"]
    await asyncio.sleep(0)
    assert real.calls == [b"head body"]


async def test_after_many_they_go_at_the_end_of_the_iteration() -> None:
    """All that were written in it, in the order in which they were begun."""
    await after_an_iteration(BUSY_RESPONSES)
    first, second = buffered(), buffered()
    for _, transport in (first, second):
        answer(transport)
    assert first[0].calls == second[0].calls == []

    await asyncio.sleep(0)

    assert first[0].calls == second[0].calls == [b"head body"]


@pytest.mark.parametrize("before", [1, BUSY_RESPONSES])
async def test_a_head_alone_is_sent(before: int) -> None:
    """Of HEAD, or of a stream that has sent nothing yet: the end of the iteration sends it."""
    await after_an_iteration(before)
    real, transport = buffered()
    transport.write(b"head")

    await asyncio.sleep(0)

    assert real.calls == [b"head"]
    transport.write(b"later")
    await asyncio.sleep(0)
    assert real.calls == [b"head", b"later"]


async def test_a_stream_is_not_delayed() -> None:
    """From its third piece on it is sent, so that the transport can pause its writer."""
    await after_an_iteration(BUSY_RESPONSES)
    real, transport = buffered()

    for piece in (b"head ", b"one ", b"two "):
        transport.write(piece)

    assert real.calls == [b"head one two "]


async def test_closing_sends_what_is_left() -> None:
    """Before it closes; and nothing after."""
    await after_an_iteration(BUSY_RESPONSES)
    real, transport = buffered()
    answer(transport)

    transport.close()
    await asyncio.sleep(0)

    assert real.calls == [b"head body", "close"]


async def test_aborting_sends_nothing_more() -> None:
    await after_an_iteration(BUSY_RESPONSES)
    real, transport = buffered()
    transport.write(b"head")

    transport.abort()
    await asyncio.sleep(0)

    assert real.calls == ["abort"]


async def test_a_connection_that_was_lost_is_not_written_to() -> None:
    """An event loop may raise then, and the others of the iteration would wait for ever."""
    await after_an_iteration(BUSY_RESPONSES)
    lost, alive = buffered(), buffered()
    for _, transport in (lost, alive):
        answer(transport)
    lost[0].closing = True

    await asyncio.sleep(0)

    assert lost[0].calls == []
    assert alive[0].calls == [b"head body"]


async def test_all_else_is_the_transport_s() -> None:
    real, transport = buffered()

    assert transport.get_write_buffer_size() == 17
    assert not transport.is_closing()
    real.closing = True
    assert transport.is_closing()


async def test_each_event_loop_has_one() -> None:
    """A thread's loop does not send what another one's has written."""
    here = coalescer_of(asyncio.get_running_loop())
    there: list[WriteCoalescer] = []

    async def other() -> None:
        there.append(coalescer_of(asyncio.get_running_loop()))

    thread = threading.Thread(target=lambda: asyncio.run(other()))
    thread.start()
    thread.join()

    assert coalescer_of(asyncio.get_running_loop()) is here
    assert there[0] is not here


def test_many_shoppers_at_once(serve: Callable[..., Service], engine: Engine) -> None:
    """Thirty clients, keep-alive: each gets its own cart's answers, GET and HEAD, in order."""
    service = serve("--redis-url", engine.url).ready()

    def shop(number: int) -> list[int]:
        seen = []
        with requests.Session() as session:
            for _ in range(20):
                body = {"sku": f"thing-{number}"}
                added = session.post(f"{service.address}/cart/items", json=body, timeout=20).json()
                head = session.head(f"{service.address}/cart", timeout=20)
                assert head.headers["etag"]
                cart = session.get(f"{service.address}/cart", timeout=20).json()
                assert added["items"] == cart["items"]
                assert [item["sku"] for item in cart["items"]] == [f"thing-{number}"]
                seen.append(cart["total_quantity"])
        return seen

    with ThreadPoolExecutor(30) as pool:
        everybody = list(pool.map(shop, range(30)))

    assert everybody == [list(range(1, 21))] * 30


async def test_the_service_s_connections_have_one() -> None:
    """With either parser of uvicorn, it is what the answers are written to."""
    kinds: tuple[Any, ...] = (HttptoolsProtocol, H11Protocol)
    for kind in kinds:
        config = Config(lambda: None)
        config.load()
        protocol = kind(config=config, server_state=ServerState(), app_state={})

        protocol.connection_made(RecordingTransport())

        assert isinstance(protocol.transport, BufferedTransport)
        protocol.connection_lost(None)


def test_pipelined_requests_are_answered_in_order(
    serve: Callable[..., Service], engine: Engine
) -> None:
    """Those of one connection, sent without waiting (RFC 9112 §9.3.2)."""
    service = serve("--redis-url", engine.url).ready()
    paths = ["/healthz", "/cart/summary", "/nowhere", "/healthz"]
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        for path in paths:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        said = b""
        while said.count(b"HTTP/1.1 ") < len(paths) or not said.endswith(b'{"status":"ok"}'):
            piece = client.recv(65536)
            assert piece, said
            said += piece

    statuses = [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"404", b"200"]
