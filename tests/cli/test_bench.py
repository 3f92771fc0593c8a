"""`ecart bench`: figures for every operation, and nothing left behind."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from ecart.bench import _calls
from ecart.cli import main
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from engines import Engine, Engines

ROWS = [(name, clients) for clients in (1, 8) for name in ("ping", "add", "get", "summary")]


def run(url: str, *arguments: str) -> Result:
    env = {"ECART_REDIS_URL": url, "COLUMNS": "100"}
    return CliRunner().invoke(main, ["bench", "--seconds", "0.05", *arguments], env=env)


def test_rows(engine: Engine) -> None:
    """Rates and latencies that fit together; the store is as it was before."""
    with engine.connected() as client:
        client.config_resetstat()

        found = json.loads(run(engine.url, "--json").stdout)["rows"]

        assert [(row["operation"], row["clients"]) for row in found] == ROWS
        for row in found:
            assert 0 < row["p50_ms"] <= row["p99_ms"] < 1000
            assert 0.01 < row["per_second"] * row["p50_ms"] / 1000 / row["clients"] < 10
        asked = client.info("commandstats")
        calls = {(row["operation"], row["clients"]): row["calls"] for row in found}
        assert asked["cmdstat_ping"]["calls"] >= calls["ping", 1] + calls["ping", 8]
        assert asked["cmdstat_hgetall"]["calls"] >= calls["get", 1] + calls["get", 8]
        assert client.keys("*") == []


def test_as_a_table(engine: Engine) -> None:
    """A row for each, with its ratio to a ping."""
    said = run(engine.url)

    assert said.exit_code == 0
    assert re.search(r"ping +│ +1 │ +[\d,]+ │ +\d+\.\d{3} │ +\d+\.\d{3} │ +1\.0 ", said.stdout)
    assert re.search(r"add +│ +8 │ +[\d,]+ │", said.stdout)


def test_on_a_cluster(engines: Engines) -> None:
    """As on one server."""
    node = engines.lend_cluster()

    said = run(f"redis+cluster://127.0.0.1:{node.port}", "--json")

    assert len(json.loads(said.stdout)["rows"]) == 8
    with node.connected() as client:
        assert client.dbsize() == 0


def test_what_a_killed_one_leaves_expires(engine: Engine) -> None:
    """Every cart that it makes has five minutes to live, at most."""
    with _calls(engine.url, Keyspace()), engine.connected() as client:
        lives = [client.ttl(key) for key in client.keys("*")]

    assert len(lives) == 64
    assert all(0 < life <= 300 for life in lives)
