"""`ecart top`: what goes on, in a terminal until Ctrl-C, and once for programs."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from cli.terminals import Terminal
from ecart import Cart, RedisStore
from ecart_server.cart_index import ActivityMonitor
from ecart_server.cli import main
from ecart_server.redis_admin.connections import opened_nodes
from transfer.filling import HOSTILE, KEYS

if TYPE_CHECKING:
    from engines import Engine, Engines


def run(engine: Engine, *arguments: str) -> Result:
    env = {"ECART_REDIS_URL": engine.url, "COLUMNS": "120"}
    return CliRunner().invoke(main, ["top", "--every", "0.2", *arguments], env=env)


def test_rates_between_two_samples(engine: Engine) -> None:
    """Of each cart and of the engine; the commands of the sampling itself are not counted."""
    with closing(RedisStore(engine.url)) as store, opened_nodes(engine.url) as nodes:
        busy, calm = Cart("busy", store), Cart("calm", store)
        busy.add("apple")
        calm.add("apple")
        monitor = ActivityMonitor(nodes, KEYS, 10)
        first = monitor.sample()
        for _ in range(50):
            busy.add("apple")
        second = monitor.sample()

    assert [active.changes for active in first.carts] == [None, None]
    assert (first.changes, first.commands, first.indexed) == (None, None, 2)
    rates = {active.cart.cart_id: active.changes for active in second.carts}
    assert list(rates) == ["busy", "calm"]
    assert rates["calm"] == 0
    assert rates["busy"] and second.changes and second.commands
    assert 0.9 < rates["busy"] / second.changes < 1.1
    assert second.commands < 6 * second.changes  # a script's own commands are counted, too
    assert second.memory > 100_000


def test_as_json(engine: Engine) -> None:
    """One document, with the rates of one interval."""
    with engine.connected() as client:
        Cart("c", client).add("apple", unit_price="1.5")

    found: dict[str, Any] = json.loads(run(engine, "--json").stdout)

    assert list(found) == ["taken_ms", "indexed", "changes", "commands", "memory", "carts"]
    assert (found["indexed"], found["changes"]) == (1, 0)
    assert found["carts"][0]["changes"] == 0
    assert found["carts"][0]["cart"]["subtotal"] == "1.5"


@pytest.mark.parametrize("arguments", [[], ["--once"]])
def test_once_where_there_is_no_terminal(engine: Engine, arguments: list[str]) -> None:
    """As text; what shoppers wrote does nothing."""
    with engine.connected() as client:
        for text in HOSTILE[:20]:
            Cart(text, client).add("apple")

    said = run(engine, *arguments)

    assert said.exit_code == 0
    assert re.match(
        r"20 carts noted   0\.0 changes/s   [\d.,]+ commands/s   [\d.]+ MB\n", said.stdout
    )
    assert all(c.isprintable() or c == "\n" for c in said.stdout)
    assert "\\x1b[31m" in said.stdout


@pytest.mark.parametrize("columns", ["80", "100", "200"])
def test_a_long_id_takes_one_row(engine: Engine, columns: str) -> None:
    """And leaves the others their columns."""
    with engine.connected() as client:
        Cart("x" * 256, client).add("apple", 100, unit_price="123.45")
        Cart("c", client).add("apple", unit_price="1")

    env = {"ECART_REDIS_URL": engine.url, "COLUMNS": columns}
    said = CliRunner().invoke(main, ["top", "--every", "0.1"], env=env).stdout

    rows = [row.split() for row in said.splitlines() if "USD" in row]
    assert sorted(row[1:5] for row in rows) == [
        ["0.0", "1", "1", "1.00"],
        ["0.0", "1", "100", "12345.00"],
    ]
    assert max(map(len, said.splitlines())) <= int(columns)
    assert said.count("x") == min(255, max(int(columns) - 66, 12) - 1)


def test_in_a_terminal_until_control_c(engine: Engine) -> None:
    """It follows what goes on, and leaves the terminal as it was: exit code 0."""
    with closing(RedisStore(engine.url)) as store:
        Cart("first", store).add("apple")
        terminal = Terminal(engine, "top", "--every", "0.1", columns=100)
        assert terminal.wait_for(b"first")

        Cart("\x1b[31msecond", store).add("apple")

        assert terminal.wait_for(b"\\x1b[31msecond")
        terminal.type(b"\x03")
        assert terminal.end() == 0
    assert b"\x1b[31msecond" not in terminal.said
    assert b"Traceback" not in terminal.said and b"Aborted" not in terminal.said
    assert terminal.said.rindex(b"\x1b[?1049l") > terminal.said.rindex(b"\x1b[?1049h")
    assert terminal.said.rindex(b"\x1b[?25h") > terminal.said.rindex(b"\x1b[?25l")


def test_an_engine_that_goes_away_and_comes_back(engines: Engines) -> None:
    """The error is shown, and later updates follow."""
    engine = engines.acquire_own("valkey9", "--appendonly", "yes")
    with engine.connected() as client:
        Cart("first", client).add("apple")
    terminal = Terminal(engine, "top", "--every", "0.1", columns=100)
    assert terminal.wait_for(b"first")

    engine.kill()
    assert terminal.wait_for(b"The engine does not answer")
    engine.start()
    with engine.connected() as client:
        Cart("second", client).add("apple")

    assert terminal.wait_for(b"second")
    terminal.type(b"\x03")
    assert terminal.end() == 0
