"""Clients that are slow, or mean to be: each is cut off in time, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

import ecart.integrations.asgi_messages
from ecart_server.app import protocol
from ecart_server.app.h11_protocol import H11Protocol
from ecart_server.app.httptools_protocol import HttptoolsProtocol
from engines import eventually
from service.threaded import service_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine
    from serving import Service

CHECK = 0.3
DRIP = 0.05
MARGIN = 2.0
"""For a machine that is busy with other tests."""

CRAWL = b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"x" * 10_000
POST = b"POST /cart/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
MANUAL = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(params=[H11Protocol, HttptoolsProtocol], ids=["h11", "httptools"])
def port(
    request: pytest.FixtureRequest, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """The service behind each parser, with short time-outs."""
    monkeypatch.setattr(protocol, "CHECK_SECONDS", CHECK)
    monkeypatch.setattr(ecart.integrations.asgi_messages, "BODY_SECONDS", CHECK)
    with service_in_thread(engine, request.param) as port:
        yield port


@contextlib.contextmanager
def connected(port: int, receive_buffer: int = 0) -> Iterator[socket.socket]:
    with socket.socket() as client:
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(DRIP)
        client.connect(("127.0.0.1", port))
        yield client


def drip(client: socket.socket, text: bytes, seconds: float) -> tuple[float, bytes]:
    """Sends a byte now and then until the server hangs up: after how long, what it said."""
    began, said, left = time.monotonic(), b"", text
    while (spent := time.monotonic() - began) < seconds:
        try:
            client.sendall(left[:1])
            left = left[1:]
            part = client.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return spent, said
        if not part:
            return spent, said
        said += part
    pytest.fail(f"not cut off in {seconds} s")


def established(port: int) -> int:
    """How many connections the server at this port holds open."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@pytest.mark.parametrize("text", [b"", CRAWL], ids=["nothing", "crawling"])
def test_a_head_that_does_not_come(port: int, text: bytes) -> None:
    """Cut off at the first check, whether it sends nothing or a byte at a time."""
    with connected(port) as client:
        seconds, said = drip(client, text, 2 * CHECK + MARGIN)

    assert (said, seconds > CHECK - DRIP) == (b"", True)


def test_a_second_head_that_does_not_come(port: int) -> None:
    """Nor does a client that has been answered get longer."""
    with connected(port) as client:
        client.sendall(ALIVE)
        time.sleep(2 * DRIP)
        seconds, said = drip(client, CRAWL, 2 * CHECK + MARGIN)

    assert (said[9:12], said.count(b"HTTP/1.1")) == (b"200", 1)
    assert seconds > CHECK / 2


def test_a_body_that_does_not_come(port: int) -> None:
    """A byte at a time: 408, and the connection is closed."""
    with connected(port) as client:
        client.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        seconds, said = drip(client, b"x" * 1000, 2 * CHECK + MARGIN)

    assert (said[9:12], b"request_timeout" in said) == (b"408", True)
    assert seconds > CHECK - DRIP


def test_a_body_that_is_not_read(port: int) -> None:
    """Answered before it has come, it may not go on coming for ever."""
    with connected(port) as client:
        client.sendall(POST + b"Content-Length: 1000000\r\n\r\n")
        _, said = drip(client, b"x" * 10_000, 3 * CHECK + MARGIN)

    assert said[9:12] == b"413"


def test_an_answer_that_is_not_taken(port: int) -> None:
    """Who asks and does not read is cut off with the answers still there."""
    with connected(port, receive_buffer=4096) as client:
        client.sendall(MANUAL * 300)
        until = time.monotonic() + 5 + MARGIN

        while established(port):
            assert time.monotonic() < until
            time.sleep(DRIP)


def test_who_goes_on_asking_is_not_cut_off(port: int) -> None:
    """One connection, many checks."""
    with connected(port) as client:
        client.settimeout(MARGIN)
        for _ in range(20):
            client.sendall(ALIVE)
            assert client.recv(65_536)[9:12] == b"200"
            time.sleep(CHECK / 4)


def test_who_waits_for_the_engine_is_not_cut_off(port: int, engine: Engine) -> None:
    """A request that was read is answered, however many checks it takes."""
    with engine.connected() as client:
        client.client_pause(int(5 * CHECK * 1000))

    answer = requests.get(f"http://127.0.0.1:{port}/cart", timeout=20)

    assert (answer.status_code, answer.elapsed.total_seconds() > 4 * CHECK) == (200, True)


def test_who_has_just_been_answered_is_not_cut_off(port: int, engine: Engine) -> None:
    """A client's time begins with the end of its answer, not with its question."""
    with engine.connected() as control, connected(port) as client:
        control.client_pause(int(1.9 * CHECK * 1000))
        client.settimeout(MARGIN)
        client.sendall(ALIVE.replace(b"/healthz", b"/cart"))
        assert client.recv(65_536)[9:12] == b"200"
        time.sleep(CHECK / 2)

        client.sendall(ALIVE)

        assert client.recv(65_536)[9:12] == b"200"


class Crowd:
    """Slow clients of the real service, dripping from an event loop of their own."""

    def __init__(self, port: int, each: int) -> None:
        self.port = port
        self.each = each
        self.cut_after: list[float] = []

    async def run(self) -> None:
        openings = {b"": CRAWL, POST + b"Content-Length: 1000\r\n\r\n": b"x" * 1000, ALIVE: b""}
        clients = [self._client(*kind) for kind in openings.items() for _ in range(self.each)]
        await asyncio.gather(*clients)

    async def _client(self, opening: bytes, slowly: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        began = time.monotonic()
        writer.write(opening)
        reading = asyncio.create_task(reader.read())
        with contextlib.suppress(ConnectionError):
            for byte in slowly:
                await asyncio.wait([reading], timeout=1)
                if reading.done():
                    break
                writer.write(bytes([byte]))
            await reading
        self.cut_after.append(time.monotonic() - began)
        writer.close()


def test_two_hundred_slow_clients(serve: Callable[..., Service]) -> None:
    """Heads, bodies, idle connections, answers not taken: a visitor beside them is served at once.

    After twenty seconds none of them is left.
    """
    service = serve().ready()
    crowd = Crowd(service.port, 60)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            greedy = stack.enter_context(connected(service.port, receive_buffer=4096))
            greedy.sendall(MANUAL * 200)
        slow = threading.Thread(target=asyncio.run, args=(crowd.run(),))
        slow.start()
        time.sleep(1)
        assert eventually(lambda: established(service.port) == 200)

        waits = waits_of_a_visitor(service.address, 8)

        slow.join()
        while established(service.port):
            assert time.monotonic() < service.began + 22 + MARGIN
            time.sleep(DRIP)
    waits.sort()
    print(f"{len(waits)} adds, p50 {waits[len(waits) // 2]:.4f} s, worst {waits[-1]:.4f} s")
    assert (len(crowd.cut_after), max(crowd.cut_after) < 12 + MARGIN) == (180, True)
    assert waits[len(waits) // 2] < 0.1
    assert waits[-1] < 1 + MARGIN


def waits_of_a_visitor(address: str, seconds: float) -> list[float]:
    """How long each add takes, one after the other."""
    waits = []
    until = time.monotonic() + seconds
    with requests.Session() as visitor:
        while time.monotonic() < until:
            began = time.monotonic()
            added = visitor.post(f"{address}/cart/items", json={"sku": "apple"}, timeout=20)
            waits.append(time.monotonic() - began)
            added.raise_for_status()
            time.sleep(0.01)
        assert added.json()["version"] == len(waits)
    return waits
