"""`ecart doctor` at a terminal: what it shows, its exit codes, its JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from ecart import Cart, RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart_server.cli import main
from ecart_server.engine import open_engine
from ecart_server.engine.resp import call
from serving import engine_pid

if TYPE_CHECKING:
    from engines import Engine, Engines

KEYS = Keyspace()
SOUND = ("--maxmemory", "100mb", "--appendonly", "yes", "--appendfsync", "always")


def run(engine: Engine, *arguments: str, **env: str) -> Result:
    return CliRunner().invoke(
        main, ["doctor", *arguments], env={"ECART_REDIS_URL": engine.url, "COLUMNS": "80", **env}
    )


@pytest.fixture
def sound(engines: Engines) -> Engine:
    """An engine in order, with one cart."""
    engine = engines.acquire_own("valkey9", *SOUND)
    with closing(RedisStore(engine.url)) as store:
        Cart("c", store).add("apple", 2, unit_price="1.5")
    return engine


def test_nothing_to_do(sound: Engine) -> None:
    """Exit code 0; what was examined is shown."""
    shown = run(sound)

    assert shown.exit_code == 0
    assert re.match(r"valkey 9\.\d+\.\d+ at /\S+/s\n1 cart examined \(all\) in ", shown.stdout)
    assert "1 open" in shown.stdout
    assert shown.stdout.endswith("Nothing to do (2 notes).\n")
    assert shown.stderr == ""


def test_a_problem(sound: Engine) -> None:
    """Exit code 1; severity, code, meaning, place and remedy; `--repair` repairs it, once."""
    with sound.connected() as client:
        client.persist(KEYS.cart("c"))

    shown = run(sound)
    repaired = run(sound, "--repair")
    again = run(sound, "--repair")

    assert (shown.exit_code, repaired.exit_code, again.exit_code) == (1, 0, 0)
    assert "\nwarning no_expiry\n        The cart is to expire and has lost" in shown.stdout
    assert f"        {KEYS.cart('c')}: state open, to live 604800 s\n" in shown.stdout
    assert "        Remedy: --repair gives it the life" in shown.stdout
    assert shown.stdout.endswith("\n1 warning, 2 notes.\n")
    assert "warning no_expiry  1 repaired\n" in repaired.stdout
    assert f"repaired {KEYS.cart('c')}: no_expiry, given a life again\n" in repaired.stdout
    assert "no_expiry" not in again.stdout


def test_as_json(sound: Engine) -> None:
    """One document with all that is shown."""
    with sound.connected() as client:
        client.persist(KEYS.cart("c"))

    shown = run(sound, "--json", "--repair")
    found = json.loads(shown.stdout)

    assert shown.exit_code == 0
    assert list(found) == ["ok", "engines", "carts", "findings", "repairs"]
    assert found["ok"] is True
    assert found["engines"][0]["kind"] == "valkey"
    assert found["carts"].pop("seconds") >= 0
    assert found["carts"] == {"examined": 1, "states": {"open": 1}, "complete": True}
    assert found["findings"][0] == {
        "code": "no_expiry",
        "severity": "warning",
        "means": "The cart is to expire and has lost its expiry: it stays for ever.",
        "remedy": "--repair gives it the life of a cart that was changed now.",
        "count": 1,
        "repaired": 1,
        "examples": [{"at": KEYS.cart("c"), "detail": "state open, to live 604800 s"}],
    }
    assert found["repairs"] == [
        {"code": "no_expiry", "at": KEYS.cart("c"), "done": "given a life again"}
    ]


def test_the_engine_alone(sound: Engine) -> None:
    """`--no-scan` examines no cart."""
    with sound.connected() as client:
        client.persist(KEYS.cart("c"))

    shown = run(sound, "--no-scan")

    assert shown.exit_code == 0
    assert "examined" not in shown.stdout
    with sound.connected() as client:
        client.flushall()


def test_a_sample(sound: Engine) -> None:
    """It says that it was not all."""
    with closing(RedisStore(sound.url)) as store:
        for number in range(50):
            Cart(number, store).add("apple")

    shown = run(sound, "--sample", "5")

    assert re.search(r"^\d+ carts examined \(not all\)", shown.stdout, re.MULTILINE)


def test_another_keyspace(sound: Engine) -> None:
    """Prefix and partitions as for the service."""
    with closing(RedisStore(sound.url, prefix="shop-2", partitions=16)) as store:
        Cart("c", store).add("apple")
    with sound.connected() as client:
        client.hset("shop-2:deployment", mapping={"partitions": 16, "schema": 1, "created": 1})

    right = run(sound, "--prefix", "shop-2", "--partitions", "16")
    wrong = run(sound, ECART_PREFIX="shop-2")

    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert "orphan" in wrong.stdout
    assert "--partitions 16" in re.sub(r"\s+", " ", wrong.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-scan", "--repair"],
        ["--no-scan", "--sample", "5"],
        ["--sample", "0"],
        ["--sample", "x"],
        ["--prefix", "a:b"],
        ["--partitions", "0"],
        ["more"],
    ],
)
def test_wrong_usage(engine: Engine, arguments: list[str]) -> None:
    """Exit code 2, and how it is used."""
    shown = run(engine, *arguments)

    assert shown.exit_code == 2
    assert "Usage: " in shown.stderr


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_an_engine_that_is_not_there(engine: Engine, arguments: list[str]) -> None:
    """A finding like others: exit code 1, and one document."""
    shown = run(engine, *arguments, ECART_REDIS_URL="unix:///nowhere/s")

    assert shown.exit_code == 1
    assert "engine_unreachable" in shown.stdout
    if arguments:
        assert json.loads(shown.stdout)["ok"] is False


def test_the_embedded_engine(tmp_path: Path) -> None:
    """Started if it does not run, and stopped again; its own settings are fine."""
    shown = CliRunner().invoke(main, ["doctor", "--data-dir", str(tmp_path / "data"), "--json"])

    found = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert [one["code"] for one in found["findings"]] == ["no_memory_limit", "not_recorded"]
    assert engine_pid(tmp_path / "data") is None


@pytest.mark.parametrize("arguments", [["doctor"], ["show", "nobody"]])
def test_examining_changes_no_setting(tmp_path: Path, arguments: list[str]) -> None:
    """An engine that syncs once a second goes on so."""
    with open_engine(tmp_path, fsync="everysec", watch=False) as engine:
        CliRunner().invoke(main, [*arguments, "--data-dir", str(tmp_path)])

        assert call(engine.socket, "CONFIG GET appendfsync") == [[b"appendfsync", b"everysec"]]


def test_an_embedded_engine_that_cannot_start(tmp_path: Path) -> None:
    """A finding, too."""
    shown = CliRunner().invoke(
        main, ["doctor", "--data-dir", str(tmp_path), "--engine", "/nowhere/server", "--json"]
    )

    assert shown.exit_code == 1
    (finding,) = json.loads(shown.stdout)["findings"]
    assert finding["code"] == "engine_unreachable"
    assert "/nowhere/server" in finding["examples"][0]["detail"]


@pytest.mark.foreign_data
@pytest.mark.parametrize("columns", [40, 80, 120, 250])
@pytest.mark.parametrize(
    "name",
    [b"\x1b[31m", b"a\nb", b"\r\x07", b"\x9b2J", b"[red]x[/red]", b"\xe2\x80\xae", b":smile:"],
)
def test_hostile_keys_are_spelled_out(sound: Engine, name: bytes, columns: int) -> None:
    """No control character of a key, a field or a target reaches the terminal; no line breaks."""
    with sound.connected() as client:
        client.set(b"ecart:" + name, "x")
        client.hset(KEYS.cart("c"), name, "x")

    shown = run(sound, COLUMNS=str(columns))
    as_json = run(sound, "--json")

    for output in (shown.stdout, as_json.stdout):
        assert all(c.isprintable() or c == "\n" for c in output)
    assert json.loads(as_json.stdout)["ok"] is False
    assert max(len(line) for line in shown.stdout.splitlines()) <= columns
    if name == b"a\nb":
        assert "ecart:a\\nb: " in shown.stdout
    if name.startswith((b"[", b":")):
        assert name.decode() in shown.stdout


def test_a_real_terminal(sound: Engine) -> None:
    """Colours and a bar there, which leaves no trace in what is piped."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from ecart_server.cli import main; main()", "doctor"],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "ECART_REDIS_URL": sound.url, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(follower)
    bar = read_all(leader)
    assert process.stdout is not None
    shown = process.stdout.read()
    process.stdout.close()

    assert process.wait(10) == 0
    assert b"carts" in bar
    assert b"\x1b" not in shown
    assert shown.endswith(b"Nothing to do (2 notes).\n")


def read_all(leader: int) -> bytes:
    said = b""
    while select.select([leader], [], [], 20)[0]:
        try:
            piece = os.read(leader, 65_536)
        except OSError:
            break
        said += piece
    os.close(leader)
    return said


def test_help_names_every_option() -> None:
    """And the exit codes."""
    shown: Any = CliRunner().invoke(main, ["doctor", "--help"])

    for text in ("--repair", "--json", "--sample", "--no-scan", "--prefix", "Exit codes"):
        assert text in shown.stdout
