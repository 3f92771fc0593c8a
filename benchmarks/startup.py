"""How long it takes until something can be done: an import, and the first answer of the service."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

from ecart_server.engine import open_engine

from .figures import Figure, Measurement, at_most
from .lab import ROOT, SOCKET, Lab, answers, clean_environ, free_port, python
from .rounds import interleaved
from .service import SERVE
from .stack import CART, SUMMARY, URL

READY = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET = b"GET /cart HTTP/1.1\r\nHost: localhost\r\n\r\n"


def importing(lab: Lab) -> Iterable[Figure]:
    """A Python that imports ecart, less a Python that imports nothing."""
    programs = {"import": "import ecart", "nothing": "pass", "client": "import redis"}

    def run(program: str) -> float:
        began = perf_counter()
        subprocess.run(python("-c", program), check=True, env=clean_environ({}), cwd=ROOT)
        return perf_counter() - began

    for program in programs.values():
        run(program)
    turns = {name: lambda program=program: run(program) for name, program in programs.items()}
    samples = interleaved(turns, lab.pace.starts)
    beside = samples.of("import", "nothing", "client", scale=1e3)
    values = tuple(s * 1e3 for s in samples.differences("import", "nothing"))
    name, note = "import ecart, less bare Python", "ecart, nothing, redis-py alone"
    yield Figure(name, values, "ms", at_most(60), note, beside, "ms")


def first_answer(lab: Lab) -> Iterable[Figure]:
    """From starting `ecart serve` to its first answer, when its engine runs already."""
    with tempfile.TemporaryDirectory(prefix="ecart-") as folder:
        data_dir = Path(folder) / "data"
        with open_engine(data_dir, watch=False):

            def serve() -> float:
                port = free_port()
                command = [*SERVE, "--port", str(port), "--data-dir", str(data_dir)]
                with lab.running(command, lambda: answers(port, READY)) as seconds:
                    return seconds

            def bare() -> float:
                port = free_port()
                command = python("-m", "benchmarks.stack", str(port), "1")
                env = {CART: "{}", SUMMARY: "{}", URL: lab.engine.urls[SOCKET]}
                with lab.running(command, lambda: answers(port, GET), env) as seconds:
                    return seconds

            samples = interleaved({"ecart serve": serve, "bare": bare}, lab.pace.starts)
    beside = samples.of("ecart serve", "bare")
    note = "ecart serve, uvicorn with a bare app"
    values = tuple(samples.scores["ecart serve"])
    yield Figure("first answer of ecart serve", values, "s", at_most(0.6), note, beside, "s")


MEASUREMENTS = (
    Measurement("import", importing),
    Measurement("first answer", first_answer),
)
