"""The service under load, beside the bare web stack and that stack with one pooled Redis call.

All stand on one engine without persistence, and take turns of one load generator. What the
embedded engine's sync to disk costs is a figure of its own.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import msgspec

from .figures import Figure, Measurement, Target, at_least
from .lab import ROOT, SOCKET, Lab, answers, clean_environ, free_port, python
from .load import SKUS, Command, Load
from .report import shown
from .rounds import Samples, interleaved
from .stack import CART, SUMMARY, URL

SERVE = python("-c", "from ecart_server.cli import main; main()", "serve")
"""`ecart serve`, without asking where the command was installed."""

SECRET = "a secret of the benchmark alone"
BUSY = 0.9
"""Of a core; a generator that is busier than that may be what limits the rate."""

ROOM = 0.25
"""Of all cores, where there are two: half a core, without which a second worker adds nothing."""

FULL = 0.1
"""Of all cores: less than that left is none left."""


class Place(NamedTuple):
    """Where a contender is served, and below which prefix."""

    port: int
    prefix: str = ""


@contextmanager
def ecart_service(lab: Lab, *options: str) -> Iterator[Place]:
    """`ecart serve` on the engine of the run, unless the options say otherwise."""
    port = free_port()
    where = () if "--data-dir" in options else ("--redis-url", lab.engine.urls[SOCKET])
    words = ("--port", str(port), *where, *options)
    ready = partial(answers, port, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with lab.running([*SERVE, *words], ready, {"ECART_SECRET": SECRET}):
        yield Place(port)


@contextmanager
def bare_stack(lab: Lab, answered: Mapping[str, str], workers: int = 1) -> Iterator[Place]:
    """The bare stack, answering what the service would."""
    port = free_port()
    env = {**answered, URL: lab.engine.urls[SOCKET]}
    ready = partial(answers, port, b"GET /cart HTTP/1.1\r\nHost: localhost\r\n\r\n")
    command = python("-m", "benchmarks.stack", str(port), str(workers))
    with lab.running(command, ready, env):
        yield Place(port)


def answered_by(place: Place) -> dict[str, str]:
    """What the service answers to a shopper with five lines, for the bare stack to repeat."""
    connection = http.client.HTTPConnection("127.0.0.1", place.port)
    headers = {"Content-Type": "application/json"}
    texts = {}
    for sku in (*SKUS, None, None):
        method, path, body = "POST", "/cart/items", msgspec.json.encode({"sku": sku})
        if sku is None:
            method, path, body = "GET", "/cart/summary" if CART in texts else "/cart", b""
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        if cookie := response.getheader("set-cookie"):
            headers["Cookie"] = cookie.partition(";")[0]
        if sku is None:
            texts[SUMMARY if CART in texts else CART] = text
    connection.close()
    return texts


class Generator:
    """The load generator, in its process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def bring(self, command: Command) -> Load:
        """One turn."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(command).decode() + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the load generator gave up; what it said stands above")
        return msgspec.json.decode(answer, type=Load)


@contextmanager
def generator() -> Iterator[Generator]:
    """A load generator."""
    with subprocess.Popen(
        python("-m", "benchmarks.load"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=clean_environ({}),
    ) as process:
        yield Generator(process)


class Contest:
    """The rates of several places under the same load, and what the generator saw."""

    def __init__(self, lab: Lab, places: Mapping[str, Place], connections: int, path: str) -> None:
        self._loads: dict[str, list[Load]] = {name: [] for name in places}
        with generator() as source:
            turns = {
                name: partial(self._turn, source, name, _command(lab, place, connections, path))
                for name, place in places.items()
            }
            interleaved(turns, lab.pace.load_warming)
            for loads in self._loads.values():
                loads.clear()
            self.samples: Samples = interleaved(turns, lab.pace.load_rounds)

    def _turn(self, source: Generator, name: str, command: Command) -> float:
        load = source.bring(command)
        self._loads[name].append(load)
        return load.rate

    def figure(
        self, name: str, above: str, below: str, target: Target | None = None, note: str = ""
    ) -> Figure:
        """One place's rate over another's."""
        beside = self.samples.of(above, below)
        told = "; ".join(filter(None, (self._latency(above), self._shares(above, below), note)))
        values = self.samples.ratios(above, below)
        return Figure(name, values, "times", target, told, beside, "a second")

    def idle(self, name: str) -> float:
        """The share of the cores that was left while this place was loaded."""
        return statistics.median(load.idle for load in self._loads[name])

    def cost(self, name: str) -> float:
        """Microseconds of all cores that a request to this place took, whoever worked for it."""
        cores = os.cpu_count() or 1
        return statistics.median(
            (1 - load.idle) * cores / load.rate * 1e6 for load in self._loads[name]
        )

    def _latency(self, name: str) -> str:
        median = statistics.median(load.median_ms for load in self._loads[name])
        p99 = statistics.median(load.p99_ms for load in self._loads[name])
        return f"median {shown(median)} ms, p99 {shown(p99)} ms"

    def _shares(self, *names: str) -> str:
        busy = [statistics.median(load.busy for load in self._loads[name]) for name in names]
        idle = [self.idle(name) for name in names]
        told = f"generator {_percents(busy)}, idle {_percents(idle)}"
        return told + (": the generator is the limit" if max(busy) > BUSY else "")


def _percents(shares: list[float]) -> str:
    return " / ".join(f"{share:.0%}" for share in shares)


def _command(lab: Lab, place: Place, connections: int, path: str) -> Command:
    return Command(place.port, connections, lab.pace.load, path, place.prefix)


def ours(lab: Lab) -> Place:
    """The service of one worker."""
    place: Place = lab.shared("ours", lambda: ecart_service(lab))
    return place


def bare(lab: Lab) -> Place:
    """The bare stack of one worker."""
    answered = partial(answered_by, ours(lab))
    place: Place = lab.shared("bare", lambda: bare_stack(lab, answered()))
    return place


def adding(lab: Lab, connections: int) -> Iterable[Figure]:
    """`POST /cart/items`, beside the bare stack, without and with one pooled Redis call."""
    pooled = Place(bare(lab).port, "/pooled")
    places = {"ecart": ours(lab), "bare": bare(lab), "pooled": pooled}
    contest = Contest(lab, places, connections, "")
    name = f"POST /cart/items, {_counted(connections)} / bare stack"
    target = at_least(0.4) if connections == 64 else None
    yield contest.figure(name, "ecart", "bare", target)
    target = at_least(0.9) if connections > 1 else None
    yield contest.figure(f"{name} and a pooled call", "ecart", "pooled", target)


def reading(lab: Lab, path: str, target: float) -> Iterable[Figure]:
    """A read of a cart of five lines, beside the bare stack."""
    contest = Contest(lab, {"ecart": ours(lab), "bare": bare(lab)}, 64, path)
    name = f"GET {path}, 5 lines, 64 connections / bare stack"
    yield contest.figure(name, "ecart", "bare", at_least(target))


def workers(lab: Lab) -> Iterable[Figure]:
    """Two worker processes beside one, and what the bare stack gains from a second."""
    answered = answered_by(ours(lab))
    with (
        ecart_service(lab, "--workers", "2") as two,
        bare_stack(lab, answered, workers=2) as bare_two,
    ):
        places = {"one": ours(lab), "two": two, "bare one": bare(lab), "bare two": bare_two}
        contest = Contest(lab, places, 64, "")
    name = "POST /cart/items, 64 connections: two workers / one"
    for title, one, more, target in (
        (name, "one", "two", at_least(1.6)),
        (f"bare stack, {name}", "bare one", "bare two", None),
    ):
        yield contest.figure(title, more, one, target, _bound(contest, one, more))


def _bound(contest: Contest, one: str, two: str) -> str:
    """What keeps a second worker from doing as much as the first, if it is this machine."""
    if contest.idle(one) < ROOM:
        return "one worker leaves no half core to a second"
    if contest.idle(two) < FULL:
        costs = f"{contest.cost(two):.0f} µs of them a request, {contest.cost(one):.0f} with one"
        return f"two workers, the engine and the generator use up all cores, {costs}"
    return ""


def syncing(lab: Lab, connections: int) -> Iterable[Figure]:
    """The embedded engine, which syncs each change to disk, beside an engine that keeps nothing."""
    synced = lab.shared("synced", lambda: _on_disk(lab))
    contest = Contest(lab, {"synced": synced, "plain": ours(lab)}, connections, "")
    name = f"POST /cart/items, {_counted(connections)}: synced to disk / not kept"
    yield contest.figure(name, "synced", "plain")


@contextmanager
def _on_disk(lab: Lab) -> Iterator[Place]:
    # Below the project and not in the temporary folder, which may be no disk.
    (ROOT / ".benchmarks").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=ROOT / ".benchmarks") as folder,
        ecart_service(lab, "--data-dir", folder) as place,
    ):
        yield place


def _counted(connections: int) -> str:
    return f"{connections} connection" + ("s" if connections > 1 else "")


MEASUREMENTS = (
    Measurement("POST, 64 connections", partial(adding, connections=64)),
    Measurement("POST, 32 connections", partial(adding, connections=32)),
    Measurement("POST, 1 connection", partial(adding, connections=1)),
    Measurement("GET cart", partial(reading, path="/cart", target=0.45)),
    Measurement("GET summary", partial(reading, path="/cart/summary", target=0.60)),
    Measurement("workers", workers),
    Measurement("fsync, 64 connections", partial(syncing, connections=64)),
    Measurement("fsync, 1 connection", partial(syncing, connections=1)),
)
