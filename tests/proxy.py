"""A proxy between client and engine that loses replies: it closes the connection instead.

`lossy(engine)` runs this file as a process of its own, so that it disturbs no test's threads or
event loop. Which replies are lost is drawn from a seed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine


class Lossy:
    """A running proxy: where it listens, and, once it has ended, what it did."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"
        self.replies = 0
        self.dropped = 0

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing passes, and nobody is told: as on a network that is cut."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends the proxy and reads its counts."""
        counts, _ = self._process.communicate()
        if counts.strip():
            self.replies, self.dropped = json.loads(counts)


@contextlib.contextmanager
def lossy(engine: Engine, *, drop: float = 0.05, seed: int = 1) -> Iterator[Lossy]:
    """A proxy to the engine that loses this share of its replies."""
    command = [sys.executable, __file__, str(engine.socket), str(drop), str(seed)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, text=True
    )
    try:
        assert process.stdout is not None
        proxy = Lossy(process, int(process.stdout.readline()))
        yield proxy
        proxy.stop()
    finally:
        process.kill()
        process.communicate()


class Proxy:
    """Bytes go both ways; now and then, what comes back is a closed connection."""

    def __init__(self, socket: str, drop: float, seed: int) -> None:
        self._socket = socket
        self._drop = drop
        self._random = random.Random(seed)
        self.replies = 0
        self.dropped = 0

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it or a reply is lost."""
        try:
            engine, to_engine = await asyncio.open_unix_connection(self._socket)
        except OSError:  # the engine is not there: what was accepted is closed
            to_client.transport.abort()
            return
        pumps = [
            asyncio.create_task(self._pump(client, to_engine)),
            asyncio.create_task(self._pump(engine, to_client, drop=self._drop)),
        ]
        with contextlib.suppress(asyncio.CancelledError):  # the proxy ends, with it open
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        to_client.transport.abort()
        to_engine.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, drop: float = 0.0
    ) -> None:
        while part := await source.read(65536):
            # One request at a time goes over a connection, so what comes is a reply.
            if drop:
                self.replies += 1
                if self._random.random() < drop:
                    self.dropped += 1
                    return
            sink.write(part)
            await sink.drain()


async def main(socket: str, drop: float, seed: int) -> None:
    """Serves until standard input ends, then tells how much was lost."""
    proxy = Proxy(socket, drop, seed)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps([proxy.replies, proxy.dropped]), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket")
    parser.add_argument("drop", type=float)
    parser.add_argument("seed", type=int)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.socket, arguments.drop, arguments.seed))
