"""`make bench` runs, and every measure of it comes out; how large is nobody's business here."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.engine_time import COMMANDS_ALONE, Overhearing, without_records
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.hostile_requests import ROWS
from benchmarks.library import ready_made
from benchmarks.load import Command, bring
from benchmarks.rivals import BlobCart, ECartCart
from benchmarks.rounds import interleaved

from ecart import Cart
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.scripts import load_script

if TYPE_CHECKING:
    from engines import Engine

ROOT = Path(__file__).parents[1]

FIGURES = {
    "library": 82,
    "parallel": 12,
    "engine": 3,
    "service": 12,
    "memory": 8,
    "startup": 2,
    "hostile": len(ROWS),
}

TARGETS = {
    "Cart.add / bare EVALSHA, 10 lines, Unix socket": "≤ 1.25",
    "E-Cart 1.0.2 add / Cart.add, TCP": "≥ 2.50",
    "Cart.get / bare HGETALL, 10 lines, Unix socket": "≤ 1.40",
    "Cart.get / bare HGETALL, 10 lines, TCP": "≤ 1.40",
    "Cart.add of 500 lines / of 1 line, Unix socket": "≤ 1.10",
    "Cart.add of 500 lines / of 1 line, TCP": "≤ 1.10",
    "Cart.summary of 500 lines / of 1 line, Unix socket": "≤ 1.10",
    "Cart.summary of 500 lines / of 1 line, TCP": "≤ 1.10",
    "AsyncCart(URL), 64 tasks: adds a second / bare calls through a pool, Unix socket": "≥ 2",
    "AsyncCart(URL), 64 tasks: adds a second / bare calls through a pool, TCP": "≥ 2",
    "Cart, 8 threads on one cart, Unix socket: adds a second / blob": "≥ 1",
    "Cart, 8 threads on one cart, TCP: adds a second / blob": "≥ 1",
    "Cart, 8 threads on one cart, Unix socket: adds lost": "≤ 0",
    "Cart, 8 threads on one cart, TCP: adds lost": "≤ 0",
    "engine time of an add": "≤ 15",
    "engine time of an add, 64 tasks": "≤ 15",
    "share of exactly-once in it": "≤ 25",
    "POST /cart/items, 64 connections / bare stack": "≥ 0.40",
    "POST /cart/items, 64 connections / bare stack and a pooled call": "≥ 0.90",
    "POST /cart/items, 32 connections / bare stack and a pooled call": "≥ 0.90",
    "GET /cart, 5 lines, 64 connections / bare stack": "≥ 0.45",
    "GET /cart/summary, 5 lines, 64 connections / bare stack": "≥ 0.60",
    "POST /cart/items, 64 connections: two workers / one": "≥ 1.60",
    "a cart of 5 lines, at rest": "≤ 500",
    "a cart of 5 lines with titles, at rest": "≤ 500",
    "a cart of 5 lines, filled by 4 tasks at once, at rest": "≤ 500",
    "used_memory a cart of 5 lines, 200 carts": "≤ 500",
    "import ecart, less bare Python": "≤ 60",
    "first answer of ecart serve": "≤ 0.60",
    **{f"longest wait beside {row.name}": "≤ 300" for row in ROWS},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What a short run printed, and what it wrote."""
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


def test_every_measure_comes_out(run: tuple[str, dict[str, Any]]) -> None:
    """Each family gives all its figures, each name once, each value a finite number."""
    figures = run[1]["figures"]

    assert Counter(figure["family"] for figure in figures) == FIGURES
    assert len({figure["name"] for figure in figures}) == len(figures)
    for figure in figures:
        assert figure["values"], figure["name"]
        assert all(map(math.isfinite, (figure["median"], *figure["quartiles"], *figure["values"])))


def test_every_target_is_stated(run: tuple[str, dict[str, Any]]) -> None:
    """The targets are these, and the table says of each whether it was reached."""
    text, document = run
    targeted = {f["name"]: f for f in document["figures"] if f["target"] is not None}
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]

    stated = {row[0]: row[3] for row in rows if len(row) == 6 and row[0] in targeted}

    assert stated == TARGETS
    for name, *_, verdict, _ in (row for row in rows if row and row[0] in targeted):
        assert verdict == ("reached" if targeted[name]["reached"] else "missed")


def test_no_add_is_lost(run: tuple[str, dict[str, Any]]) -> None:
    """Eight threads on one cart: every add of ours is there, whatever the blob lost."""
    lost = [f["values"] for f in run[1]["figures"] if f["name"].endswith("adds lost")]

    assert [set(values) for values in lost[::2]] == [{0}, {0}]


def test_a_single_measurement_can_be_chosen(tmp_path: Path) -> None:
    """A family and a part of a name are one measurement, and an unknown family is wrong usage."""
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(file)]

    subprocess.run([*command, "memory", "--only", "by size"], cwd=ROOT, check=True)
    refused = subprocess.run([*command, "speed"], cwd=ROOT, capture_output=True)

    figures = json.loads(file.read_text())["figures"]
    assert [f["name"].partition(",")[0] for f in figures] == [
        "a cart of 1 line",
        "a cart of 5 lines",
        "a cart of 20 lines",
        "a cart of 100 lines",
    ]
    assert refused.returncode == 2


def test_contenders_take_turns() -> None:
    """A B A B, and a ratio is that of one round."""
    order: list[str] = []
    scores = {"a": iter([2.0, 30.0]), "b": iter([1.0, 10.0])}

    def turn(name: str) -> float:
        order.append(name)
        return next(scores[name])

    samples = interleaved({name: partial(turn, name) for name in scores}, rounds=2)

    assert order == ["a", "b", "a", "b"]
    assert samples.ratios("a", "b") == (2.0, 3.0)
    assert samples.differences("a", "b") == (1.0, 20.0)


def test_a_figure_is_its_median_and_its_middle_half() -> None:
    """One odd round moves neither, and a target is reached from its own side."""
    values = (1.0, 1.1, 1.2, 1.3, 9.0)

    figure = Figure("a / b", values, target=at_most(1.25))

    assert (figure.median, figure.quartiles, figure.reached) == (1.2, (1.1, 1.3), True)
    assert not Figure("a / b", values, target=at_least(1.25)).reached
    assert Figure("a / b", values).reached is None


def test_records_are_cut_out_or_nothing_is_measured() -> None:
    """The script without records is another one; a script that the cuts do not fit is refused."""
    script = load_script("add_item").text

    cut = without_records(script)

    for part in (
        '"b", record,',
        "recorded, line_text = unpack",
        "if recorded and",
        "record, record_text(",
    ):
        assert (part in script, part in cut) == (True, False)
    with pytest.raises(LookupError, match="change"):
        without_records(script.replace("unpack(fields)", "fields[1]"))


def test_the_commands_alone_change_nothing(engine: Engine) -> None:
    """They are an add's, by the places of its arguments; only the record and the expiry move on."""
    with engine.connected() as client:
        Cart("c", client).add("apple", 2, unit_price="1.50", title="Apple")
        before = client.hgetall(Keyspace().cart("c"))
        instead = Overhearing(client, instead=client.script_load(COMMANDS_ALONE))

        change = Cart("c", instead).add("apple", unit_price="9.99")

        after = client.hgetall(Keyspace().cart("c"))
    assert (change.summary.version, change.line and change.line.quantity) == (1, 2)
    (record,) = (name for name in before if name.startswith(b"~"))
    number, later = (int(fields.pop(record).partition(b"|")[0]) for fields in (before, after))
    assert later == number + 1
    assert after == before


def test_a_ready_made_call_is_an_add(engine: Engine) -> None:
    """Each one is another, and counts."""
    with engine.connected() as client:
        send = ready_made("c", client)
        for _ in range(3):
            send()

        assert Cart("c", client).get().total_quantity == 3


async def test_an_error_is_no_answer() -> None:
    """The load generator counts nothing but success: one refusal ends the run."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(RuntimeError, match="429"):
        await bring(Command(port, connections=2, seconds=0.05))
    server.close()


def test_the_blob_loses_what_another_has_put(engine: Engine) -> None:
    """Two who fetch before either has put back: one add is gone. E-Cart 1.0.2 replaces."""
    with engine.connected() as client:
        first, second = BlobCart("c", client), BlobCart("c", client)
        first.add("apple", "0.50")
        second.get = dict  # type: ignore[method-assign]
        second.add("apple", "0.50")
        old = ECartCart("c", client)
        for _ in range(2):
            old.add("apple", 0.5)

        assert first.units() == 1
        assert client.hgetall(old.key) == {b"apple": b'{"unit_cost": 0.5, "quantity": 1}'}
        assert client.ttl(old.key) == 604_800
        client.flushall()
