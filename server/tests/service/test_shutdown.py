"""SIGTERM in the middle of everything: what was read is answered, and the service is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from ecart import Cart, RedisStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine
    from serving import Service

BUSY = 200
POST = "POST /cart/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@dataclass
class Shopper:
    """One connection that adds an apple, and again as soon as it is answered."""

    port: int
    token: str = "new"
    cart_id: str = ""
    acknowledged: int = 0
    unanswered: int = 0
    wrong: list[bytes] = field(default_factory=list)

    async def shop(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = '{"sku":"apple"}'
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = f"{POST}Cart-Token: {self.token}\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write((head + body).encode())
                self.unanswered += 1
                await self._answer(reader)
                self.unanswered -= 1
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
        body = await reader.readexactly(length)
        if head[9:12] != b"200":
            self.wrong.append(head)
            return
        self.acknowledged += 1
        if not self.cart_id:
            token = next(
                line for line in head.decode().split("\r\n") if line[:11].lower() == "cart-token:"
            )
            self.token, self.cart_id = token[11:].strip(), json.loads(body)["cart_id"]


async def busy(service: Service) -> list[Shopper]:
    """Two hundred connections at work when SIGTERM comes, until each is closed."""
    shoppers = [Shopper(service.port) for _ in range(BUSY)]
    working = [asyncio.create_task(shopper.shop()) for shopper in shoppers]
    while not all(shopper.acknowledged for shopper in shoppers):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    service.process.terminate()
    await asyncio.wait_for(asyncio.gather(*working), 12)
    return shoppers


@pytest.mark.parametrize("workers", ["1", "2"])
def test_two_hundred_busy_connections(
    serve: Callable[..., Service], engine: Engine, workers: str
) -> None:
    """Every change that was made is answered, and every answer is true: stored == acknowledged."""
    service = serve("--workers", workers, "--redis-url", engine.url).ready()

    shoppers = asyncio.run(busy(service))
    told = time.monotonic()

    assert service.process.wait(10) == 0, service.said
    print(
        f"{sum(s.acknowledged for s in shoppers)} answered, gone {time.monotonic() - told:.2f} s "
        f"after the last, {sum(s.unanswered for s in shoppers)} sent and not read"
    )
    store = RedisStore(engine.url)
    stored = {s.cart_id: Cart(s.cart_id, store).summary().total_quantity for s in shoppers}
    assert stored == {shopper.cart_id: shopper.acknowledged for shopper in shoppers}
    assert [shopper.wrong for shopper in shoppers if shopper.wrong] == []
    assert "Traceback" not in service.said
    store.close()


STUCK = {
    "in its head": b"GET /cart HTTP/1.1\r\nX-Slow: ",
    "in its body": f"{POST}Content-Length: 15\r\n\r\n".encode(),
    "before its answers": b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200,
    "after an answer": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stuck_clients_do_not_hold_it_up(serve: Callable[..., Service], workers: str) -> None:
    """Wherever they are stuck, they get three seconds, and the service is gone in five."""
    service = serve("--workers", workers).ready()
    with contextlib.ExitStack() as stack:
        for opening in STUCK.values():
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", service.port))
            client.sendall(opening)
        time.sleep(0.5)

        code, seconds = service.terminate()

    print(f"gone in {seconds:.2f} s")
    assert (code, seconds < 3 + 4) == (0, True), (seconds, service.said)
    assert "ancel" not in service.said


def test_a_hung_engine_does_not_hold_it_up(
    serve: Callable[..., Service], own_engine: Engine
) -> None:
    """Requests that wait for an engine that never answers are told so within ten seconds."""
    service = serve("--redis-url", own_engine.url).ready()
    body = b'{"sku":"apple"}'
    with own_engine.frozen(), socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(POST.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.2)

        code, seconds = service.terminate()
        client.settimeout(1)
        said = client.recv(65_536)

    print(f"gone in {seconds:.2f} s")
    assert (code, seconds < 10) == (0, True), service.said
    assert said[9:12] == b"504"
