"""The server under the service: uvicorn, which it has, beside granian, which it could have.

Granian is no dependency of the project: where it is not installed, nothing is measured.
`python -m benchmarks.servers PORT URL APP` serves with it what the service, or the bare stack, is.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ecart_server.settings import ServiceSettings, StoreSettings, hand_to_workers

from .figures import Figure, Measurement
from .lab import SOCKET, Lab, answers, free_port, python
from .service import SECRET, Contest, Place, answered_by, bare, ours
from .stack import URL

SERVICE, STACK = "ecart_server.app.application:create_app", "benchmarks.stack:create_app"


@contextlib.contextmanager
def on_granian(lab: Lab, app: str, env: Mapping[str, str]) -> Iterator[Place]:
    """An app on granian, one worker on uvloop, as `ecart serve` has it."""
    port, url = free_port(), lab.engine.urls[SOCKET]
    ready = partial(answers, port, b"GET /cart HTTP/1.1\r\nHost: localhost\r\n\r\n")
    command = python("-m", "benchmarks.servers", str(port), url, app)
    with lab.running(command, ready, {**env, URL: url}):
        yield Place(port)


def servers(lab: Lab, path: str) -> Iterable[Figure]:
    """The same app on both servers."""
    if importlib.util.find_spec("granian") is None:
        print("granian is not installed: nothing to compare uvicorn with", file=sys.stderr)
        return
    with (
        on_granian(lab, SERVICE, {}) as service,
        on_granian(lab, STACK, answered_by(ours(lab))) as stack,
    ):
        places = {"granian": service, "uvicorn": ours(lab)}
        places |= {"bare on granian": stack, "bare on uvicorn": bare(lab)}
        contest = Contest(lab, places, 64, path)
    name = f"{f'GET {path}' if path else 'POST /cart/items'}, 64 connections: granian / uvicorn"
    yield contest.figure(name, "granian", "uvicorn")
    yield contest.figure(f"bare stack, {name}", "bare on granian", "bare on uvicorn")


def serve(port: int, url: str, app: str) -> None:
    """Serves with granian until it is told to stop."""
    granian: Any = importlib.import_module("granian")
    hand_to_workers(ServiceSettings(secrets=(SECRET,), store=StoreSettings(url=url)))
    options = {"interface": "asgi", "loop": "uvloop", "factory": True, "log_enabled": False}
    granian.Granian(app, address="127.0.0.1", port=port, **options).serve()


MEASUREMENTS = (
    Measurement("servers, POST", partial(servers, path="")),
    Measurement("servers, GET summary", partial(servers, path="/cart/summary")),
)

if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
