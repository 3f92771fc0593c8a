"""How long a visitor waits beside a hostile request: the longest of many reads.

Each server has one worker. A visitor reads `/cart/summary` every few milliseconds, one read after
the other, while a stranger sends a request of `hostile_requests.py` at the largest size that the
service takes.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from .figures import Figure, Measurement, at_most
from .hostile_requests import (
    ADMIN_KEY,
    BODIES,
    FORMS,
    HEADERS,
    HEADS,
    OFFICE_KEY,
    ROWS,
    SECRET,
    TARGETS,
    WIRES,
    Hostile,
)
from .lab import SOCKET, Lab, answers, free_port, python
from .stack import URL

READY = b"GET /cart/summary HTTP/1.1\r\nHost: shop.test\r\n\r\n"
PAUSE_SECONDS = 0.003
READ_BYTES = 262_144
"""What one read of a busy server brings at most: a row of bare bytes is sent at this size."""
PATIENCE_SECONDS = 30.0
LONGEST_MS = 300

_ARGUMENTS = "--port PORT --redis-url URL"
_SERVE = "import sys; {before}sys.argv[0] = 'ecart'; from ecart_server.cli import main; main()"
_GUNICORN = (
    *("-m", "gunicorn", "--threads", "4", "--log-level", "error", "--bind", "127.0.0.1:PORT"),
    *("--limit-request-line", "8190", "--limit-request-field_size", "16384"),
)
SERVERS: Mapping[str, tuple[str, ...]] = {
    "httptools": ("-c", _SERVE.format(before=""), "serve", *_ARGUMENTS.split()),
    # Python takes a module that is None for one that is not installed.
    "h11": (
        *("-c", _SERVE.format(before="sys.modules['httptools'] = None; "), "serve"),
        *_ARGUMENTS.split(),
    ),
    "Flask": (*_GUNICORN, "benchmarks.hostile_apps:flask_app()"),
    "Django": (*_GUNICORN, "benchmarks.hostile_apps:django_app()"),
    "Litestar": (
        *("-m", "uvicorn", "--factory", "--log-level", "critical", "--port", "PORT"),
        "benchmarks.hostile_apps:litestar_app",
    ),
}
"""Arguments of Python that start each; `PORT` and `URL` are put in."""


@contextlib.contextmanager
def serving(lab: Lab, name: str) -> Iterator[int]:
    """The port of one of the servers."""
    port, url = free_port(), lab.engine.urls[SOCKET]
    known = {"PORT": str(port), "127.0.0.1:PORT": f"127.0.0.1:{port}", "URL": url}
    env = {"ECART_SECRET": SECRET, "ECART_OFFICE_KEYS": OFFICE_KEY, "ECART_ADMIN_KEY": ADMIN_KEY}
    command = python(*(known.get(word, word) for word in SERVERS[name]))
    with lab.running(command, partial(answers, port, READY), {**env, URL: url}):
        yield port


def exchange(port: int, request: bytes) -> None:
    """Sends a request, and reads what comes until the server closes.

    Raises:
        TimeoutError: it does not, within `PATIENCE_SECONDS`.
    """
    left = memoryview(request)
    with (
        socket.create_connection(("127.0.0.1", port)) as stranger,
        contextlib.suppress(ConnectionError),  # closed while we were still sending
    ):
        stranger.setblocking(False)
        while True:
            waiting = [stranger] if left else []
            readable, writable, _ = select.select([stranger], waiting, [], PATIENCE_SECONDS)
            if not readable and not writable:
                raise TimeoutError
            with contextlib.suppress(BlockingIOError):
                if writable:
                    left = left[stranger.send(left[:65_536]) :]
                if readable and not stranger.recv(65_536):
                    return


def longest_wait(port: int, request: bytes) -> float:
    """The milliseconds of a visitor's slowest read while the request is dealt with."""
    visitor = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(visitor):
        _read(visitor)
        stranger = threading.Thread(target=exchange, args=(port, request))
        stranger.start()
        waits = [_read(visitor)]
        while stranger.is_alive():
            time.sleep(PAUSE_SECONDS)
            waits.append(_read(visitor))
    return max(waits)


def _read(visitor: http.client.HTTPConnection) -> float:
    began = time.perf_counter()
    visitor.request("GET", "/cart/summary")
    response = visitor.getresponse()
    response.read()
    if response.status != 200:
        raise RuntimeError(f"a visitor was answered {response.status}")
    return (time.perf_counter() - began) * 1000


def waits(lab: Lab, table: Mapping[str, Callable[[int], object]]) -> Iterable[Figure]:
    """The longest wait beside each row of a table, whichever server it is at."""
    ports = {name: lab.shared(f"hostile {name}", partial(serving, lab, name)) for name in SERVERS}
    for row in ROWS:
        if row.name in table:
            yield _figure(lab, row, ports)


def _figure(lab: Lab, row: Hostile, ports: Mapping[str, int]) -> Figure:
    is_bare = row.largest_elsewhere == 0
    names = ["httptools", "h11"] if is_bare else [*ports]
    request = row.on_wire(READ_BYTES if is_bare else row.largest)
    rounds = [
        {name: longest_wait(ports[name], request) for name in names}
        for _ in range(lab.pace.load_rounds)
    ]
    return Figure(
        f"longest wait beside {row.name}",
        tuple(max(one.values()) for one in rounds),
        "ms",
        at_most(LONGEST_MS),
        ", ".join(names),
        {name: tuple(one[name] for one in rounds) for name in names},
        "ms",
    )


MEASUREMENTS = tuple(
    Measurement(f"hostile {name}", partial(waits, table=table))
    for name, table in {
        "bodies": BODIES,
        "forms": FORMS,
        "targets": TARGETS,
        "headers": HEADERS,
        "heads": HEADS,
        "bytes": WIRES,
    }.items()
)
