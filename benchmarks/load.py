"""The load generator: keep-alive connections, each a shopper with a session, in its own process.

`python -m benchmarks.load` reads a `Command` a line and answers with a `Load` a line. A shopper
sends its next request when the answer to the last has come. Whatever is not answered with 200
ends the run: a figure of errors is none.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

SKUS = ("apple", "banana", "bread", "butter", "cheese")
ADDS_OF_A_SESSION = 1000
"""Then the shopper begins a new session: a line holds at most 9,999 units."""

NO_SESSION = "ecart=AAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^;\r]+)", re.IGNORECASE)
_SETTLING = 0.05
_PATIENCE = 30.0


class Command(msgspec.Struct, frozen=True):
    """How many shoppers do what, where, for how many seconds. `path` "" adds items."""

    port: int
    connections: int
    seconds: float
    path: str = ""
    prefix: str = ""


class Load(msgspec.Struct, frozen=True):
    """What came of it: answers a second, median and 99th percentile in milliseconds.

    `busy` is the share of one core that the generator itself took; near 1 it is the limit.
    `idle` is the share of all cores that nobody took (1 where the system does not tell).
    """

    rate: float
    median_ms: float
    p99_ms: float
    busy: float
    idle: float


class Run:
    """What the shoppers of one command share."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.ready = 0
        self.counts = False
        self.latencies: list[float] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, reason: str) -> None:
        """Ends the run."""
        if not self.failed.done():
            self.failed.set_exception(RuntimeError(reason))


class Shopper(asyncio.Protocol):
    """One connection: puts five products into its cart, then adds or looks for ever."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._transport: Any = None
        self._skus = cycle(SKUS)
        self._cookie = NO_SESSION
        self._adds = 0
        self._buffer = b""
        self._began = 0.0
        self._is_ready = False
        self._leaves = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            self._run.fail(f"an answer that is no success: {self._buffer[:400]!r}")
        elif len(body) >= int(length[1]):
            self._buffer = b""
            self._answered(head)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._leaves:
            self._run.fail(f"a connection was closed: {exc}")

    def leave(self) -> None:
        """Hangs up."""
        self._leaves = True
        if self._transport is not None:
            self._transport.abort()

    def _answered(self, head: bytes) -> None:
        run = self._run
        if run.counts:
            run.latencies.append(time.perf_counter() - self._began)
        if b"ookie: " in head and (cookie := _COOKIE.search(head)):
            self._cookie = cookie[1].decode()
            self._request = self._requests()
        if not self._is_ready and self._adds == len(SKUS):
            self._is_ready = True
            run.ready += 1
        if not run.failed.done():
            self._send()

    def _send(self) -> None:
        if self._adds % ADDS_OF_A_SESSION == 0:
            self._cookie = NO_SESSION
            self._request = self._requests()
        looks = self._is_ready and self._run.command.path
        self._began = time.perf_counter()
        if looks:
            self._transport.write(self._request[""])
        else:
            self._adds += 1
            self._transport.write(self._request[next(self._skus)])

    def _requests(self) -> dict[str, bytes]:
        """The requests of this session, ready to be sent: one for each SKU, and "" to look."""
        command = self._run.command
        shared = f"Host: localhost\r\nAccept: application/json\r\nCookie: {self._cookie}\r\n"
        requests = {"": f"GET {command.path} HTTP/1.1\r\n{shared}\r\n".encode()}
        for sku in SKUS:
            body = f'{{"sku":"{sku}","quantity":1}}'
            requests[sku] = (
                f"POST {command.prefix}/cart/items HTTP/1.1\r\n{shared}"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        return requests


async def bring(command: Command) -> Load:
    """Lets the shoppers in, waits until each has its cart, counts for a while, sends them home.

    Raises:
        RuntimeError: an answer was no success, or a connection broke.
        TimeoutError: they do not get on.
    """
    run = Run(command)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: run.fail(f"{context}"))
    shoppers: list[Shopper] = []
    try:
        for _ in range(command.connections):
            shoppers.append(Shopper(run))
            await loop.create_connection(lambda: shoppers[-1], "127.0.0.1", command.port)
        return await _counted(run)
    finally:
        for shopper in shoppers:
            shopper.leave()
        await asyncio.sleep(0)


async def _counted(run: Run) -> Load:
    connections, seconds = run.command.connections, run.command.seconds
    await _until(run, lambda: run.ready == connections)
    await _meanwhile(run, _SETTLING)
    began, worked, cores = time.perf_counter(), time.process_time(), _cores()
    run.counts = True
    await _meanwhile(run, seconds)
    await _until(run, lambda: len(run.latencies) >= connections)
    run.counts = False
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    idle, total = (after - before for after, before in zip(_cores(), cores, strict=True))
    latencies = sorted(run.latencies)
    return Load(
        rate=len(latencies) / seconds,
        median_ms=latencies[len(latencies) // 2] * 1e3,
        p99_ms=latencies[len(latencies) * 99 // 100] * 1e3,
        busy=worked / seconds,
        idle=idle / total if total else 1.0,
    )


async def _until(run: Run, is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not is_so():
            await _meanwhile(run, 0.005)


async def _meanwhile(run: Run, seconds: float) -> None:
    done, _ = await asyncio.wait({run.failed}, timeout=seconds)
    for failed in done:
        failed.result()


def _cores() -> tuple[int, int]:
    """Ticks that the cores have idled, and ticks in all, since the system began (proc(5))."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0, 0
    ticks = [int(number) for number in stat.read_text().partition("\n")[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def main() -> None:
    """Serves commands until there are no more."""
    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    except ImportError:
        factory = asyncio.new_event_loop
    for line in sys.stdin:
        command = msgspec.json.decode(line, type=Command)
        with asyncio.Runner(loop_factory=factory) as runner:
            load = runner.run(bring(command))
        print(msgspec.json.encode(load).decode(), flush=True)


if __name__ == "__main__":
    main()
