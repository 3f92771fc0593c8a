"""`ecart export` and `ecart import`: files, pipes, reports, exit codes, kills in the middle."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from cli.terminals import Terminal
from ecart import Cart
from ecart_server.cli import main
from faults.soak import IS_SOAK, SEED, TIMEOUT
from serving import COMMAND
from transfer.filling import HOSTILE, KEYS, export_lines, fill

if TYPE_CHECKING:
    from engines import Engine, Engines

pytestmark = pytest.mark.timeout(TIMEOUT)

CARTS = 100_000 if IS_SOAK else 2000


def run(engine: Engine, *arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(
        main, list(arguments), input=given, env={"ECART_REDIS_URL": engine.url, "COLUMNS": "80"}
    )


@pytest.fixture
def target(engines: Engines) -> Engine:
    """An empty engine beside the first."""
    return engines.acquire_own("valkey9")


def is_printable(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


def test_through_a_file(engine: Engine, target: Engine, tmp_path: Path) -> None:
    """The same carts on the other side; the file is its owner's alone, and nothing is beside it."""
    fill(engine.url, 60)
    file = tmp_path / "carts.jsonl"

    out = run(engine, "export", "--sorted", "--to", str(file))
    into = run(target, "import", str(file))

    assert (out.exit_code, into.exit_code) == (0, 0), out.output + into.output
    assert re.match(r"\d+ carts exported in \d+\.\d s, [\d,]+/s: \d+ gone, ", out.stdout)
    assert re.match(r"\d+ lines read in \d+\.\d s, [\d,]+/s: \d+ written\n\Z", into.stdout)
    assert (out.stderr, into.stderr) == ("", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    lines = file.read_text().splitlines(keepends=True)
    assert lines == export_lines(engine.url) == export_lines(target.url)


def test_through_a_pipe(engine: Engine, target: Engine) -> None:
    """The lines are all that comes out of standard output; the report is on standard error."""
    fill(engine.url, 60)

    out = run(engine, "export")
    into = run(target, "import", "-", given=out.stdout_bytes)
    again = run(target, "import", given=out.stdout_bytes)

    assert (out.exit_code, into.exit_code, again.exit_code) == (0, 0, 0)
    assert all(json.loads(line)["format"] == 1 for line in out.stdout.splitlines())
    assert "carts exported in" in out.stderr
    assert "written" in into.stdout
    assert "here already\n" in again.stdout


def test_reports_as_json(engine: Engine, target: Engine, tmp_path: Path) -> None:
    """Each is one document with what is counted."""
    fill(engine.url, 20)
    file = tmp_path / "carts.jsonl"

    out = json.loads(run(engine, "export", "--to", str(file), "--json").stdout)
    on_error = json.loads(run(engine, "export", "--json").stderr)
    into = json.loads(run(target, "import", str(file), "--json").stdout)

    for report in (out, on_error):
        assert report.pop("seconds") >= 0
    assert out == on_error
    assert (out["complete"], out["problems"]) == (True, {"counts": {}, "first": []})
    assert sum(out["states"].values()) == out["carts"] == into["written"] == into["lines"]
    assert (into["next_line"], into["complete"]) == (out["carts"] + 1, True)


@pytest.mark.foreign_data
def test_what_is_left_out_is_reported(engine: Engine) -> None:
    """Exit code 1; the rest goes on; no control character of a key or a field is let through."""
    with engine.connected() as client:
        Cart("a", client).add("apple")
        Cart("b", client).add("apple")
        client.hset(KEYS.cart("b"), ":x\x1b[31m", "many")
        client.set("ecart:{0}:cart:zz", "x")

        out = run(engine, "export")
        client.flushall()

    assert out.exit_code == 1
    assert out.stdout.count("\n") == 1
    assert "field :x\\x1b[31m [unreadable_cart]\n" in out.stderr
    assert "[wrong_type]\n" in out.stderr
    assert out.stderr.endswith("2 left out: 1 unreadable_cart, 1 wrong_type\n")
    assert is_printable(out.stderr)


def test_broken_and_refused_lines_are_reported(engine: Engine, target: Engine) -> None:
    """Exit code 1; by their numbers; the rest goes on; hostile text is spelled out."""
    fill(engine.url, 4 + len(HOSTILE))
    lines = export_lines(engine.url)
    for text in HOSTILE:
        with target.connected() as client:
            Cart(text, client).add("pear")
    odd = '{"format": 1, "cart_id": "\x1b[31m\u202e"}\n'

    into = run(target, "import", given="".join([odd, *lines, "x\n"]).encode())

    assert into.exit_code == 1
    assert into.stderr.startswith("line 1: ")
    assert f"line {len(lines) + 2}: " in into.stderr
    assert into.stderr.count("[cart_differs]\n") == len(HOSTILE)
    assert re.search(rf"\n{len(HOSTILE) + 2} not taken: 2 broken_line, 21 cart_diff", into.stdout)
    assert is_printable(into.stderr + into.stdout)


def test_policies(engine: Engine, target: Engine) -> None:
    """`--update` takes what is later, `--replace` what is different; both are wrong usage."""
    with engine.connected() as client, target.connected() as other:
        Cart("c", client).add("apple")
        early = run(engine, "export").stdout_bytes
        Cart("c", client).add("apple")
        late = run(engine, "export").stdout_bytes

        assert run(target, "import", given=early).exit_code == 0
        assert run(target, "import", given=late).exit_code == 1
        assert run(target, "import", "--update", given=late).exit_code == 0
        assert run(target, "import", "--update", given=early).exit_code == 0
        assert Cart("c", other).get().total_quantity == 2
        assert run(target, "import", "--replace", given=early).exit_code == 0
        assert Cart("c", other).get().total_quantity == 1
    assert run(target, "import", "--replace", "--update", given=early).exit_code == 2


def test_another_number_of_partitions_is_refused(engine: Engine, target: Engine) -> None:
    """An export would find nothing, an import would hide the carts: the record tells."""
    with engine.connected() as client:
        client.hset("ecart:deployment", mapping={"partitions": 16, "schema": 1, "created": 1})

    out, into = run(engine, "export"), run(engine, "import", given=b"")
    first = run(target, "import", given=b"")

    assert (out.exit_code, into.exit_code, first.exit_code) == (1, 1, 0)
    assert "--partitions 16" in out.stderr and "--partitions 16" in into.stderr
    with target.connected() as client:  # what is imported begins a deployment
        assert client.hget("ecart:deployment", "partitions") == b"1024"


def test_an_export_that_breaks_off_leaves_no_file(engines: Engines, tmp_path: Path) -> None:
    """What has the name is whole: an earlier export stays as it was."""
    engine = engines.acquire_own("valkey9")
    fill(engine.url, 20)
    file = tmp_path / "carts.jsonl"
    assert run(engine, "export", "--to", str(file)).exit_code == 0
    before = file.read_bytes()
    engine.kill()

    broken = run(engine, "export", "--to", str(file))

    assert broken.exit_code == 1
    assert broken.stderr.endswith("[store_unavailable]\n")
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_an_engine_that_goes_away(engine: Engine, engines: Engines) -> None:
    """The report says how far the import came, and how to go on."""
    target = engines.acquire_own("valkey9")
    target.kill()

    into = run(target, "import", given="".join(some_lines(engine)).encode())

    assert into.exit_code == 1
    assert into.stderr.endswith("[store_unavailable]\n")


def some_lines(engine: Engine) -> list[str]:
    fill(engine.url, 20)
    return export_lines(engine.url)


def test_killed_and_begun_again(engine: Engine, engines: Engines) -> None:
    """`ecart export | ecart import`, killed at random, then run to its end: byte for byte."""
    target = engines.acquire_own("valkey9")
    chance = random.Random(SEED)
    fill_many(engine, CARTS)
    kills = 0
    while kills < 3:
        enough = size_of(target) + chance.randrange(1, CARTS // 4)
        export, into = piped(engine, target)
        while into.poll() is None and size_of(target) < enough:
            time.sleep(0.005)
        into.kill()
        kills += into.wait() == -signal.SIGKILL
        print(f"killed at {size_of(target)} keys")
        into.stdout.close()
        export.wait()
    export, into = piped(engine, target)
    print(into.communicate()[0].decode())
    assert (into.returncode, export.wait()) == (0, 0)

    began = time.monotonic()
    assert export_lines(target.url) == export_lines(engine.url)
    print(f"both exported and compared in {time.monotonic() - began:.1f} s")


def fill_many(engine: Engine, count: int, of_kinds: int = 2000) -> None:
    """So many carts in every state, and beyond that, copies of one under other names."""
    fill(engine.url, min(count, of_kinds))
    with engine.connected() as client:
        dumped, expires = client.dump(KEYS.cart("user-26")), json_of(engine)["expires_ms"]
        for first in range(of_kinds, count, 1000):
            with client.pipeline(transaction=False) as pipe:
                for number in range(first, first + 1000):
                    pipe.restore(KEYS.cart(f"more-{number}"), expires, dumped, absttl=True)
                pipe.execute()


def json_of(engine: Engine) -> Any:
    lines = export_lines(engine.url)
    return next(one for one in map(json.loads, lines) if one["cart_id"] == "user-26")


def size_of(engine: Engine) -> int:
    with engine.connected() as client:
        return int(client.dbsize())


def piped(source: Engine, target: Engine) -> tuple[Any, Any]:
    quiet = subprocess.DEVNULL
    export = subprocess.Popen(
        [*COMMAND, "export", "--redis-url", source.url], stdout=subprocess.PIPE, stderr=quiet
    )
    into = subprocess.Popen(
        [*COMMAND, "import", "--redis-url", target.url],
        stdin=export.stdout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert export.stdout is not None
    export.stdout.close()
    return export, into


def test_a_bar_in_a_terminal(engine: Engine, target: Engine, tmp_path: Path) -> None:
    """With rate and time left, and gone at the end; the report stays."""
    fill_many(engine, 3000, of_kinds=40)
    file = tmp_path / "carts.jsonl"

    for command in (["export", "--to", str(file)], ["import", str(file)]):
        terminal = Terminal(engine if command[0] == "export" else target, *command)
        code = terminal.end()
        said = re.sub(rb"\x1b\[[\d;?]*\w", b"", terminal.said).decode()

        assert code == 0
        assert re.search(r"carts +[━╸╺ ]+ [\d,]+\S* [\d,]+/s \d:\d\d:\d\d", said), said
        assert re.search(r"(exported|read) in \d+\.\d s, [\d,]+/s: .*\r\n\Z", said), said


def test_a_bar_beside_a_pipe(engine: Engine, tmp_path: Path) -> None:
    """With the carts on standard output and the bar on the terminal, neither is in the other."""
    fill_many(engine, 1000, of_kinds=40)

    with (tmp_path / "out").open("wb") as out:
        terminal = Terminal(engine, "export", "--sorted", stdout=out.fileno())
        assert terminal.end() == 0

    assert (tmp_path / "out").read_text().splitlines(keepends=True) == export_lines(engine.url)
    assert b"carts" in terminal.said and "━".encode() in terminal.said
    assert b'"format"' not in terminal.said


def test_no_bar_among_the_carts(engine: Engine) -> None:
    """Both on the terminal: the carts alone, then the report."""
    fill(engine.url, 60)

    terminal = Terminal(engine, "export")

    assert terminal.end() == 0
    assert b"\x1b" not in terminal.said
    *lines, report = terminal.said.decode().splitlines()
    assert all(json.loads(line)["format"] == 1 for line in lines)
    assert "carts exported in" in report


def test_a_reader_that_leaves(engine: Engine) -> None:
    """`ecart export | head -1` ends quietly."""
    fill_many(engine, 600, of_kinds=40)
    command = [*COMMAND, "export", "--redis-url", engine.url]
    export = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert export.stdout is not None and export.stderr is not None

    assert export.stdout.readline().startswith(b'{"format":1,')
    export.stdout.close()

    assert export.wait(20) == 1
    assert b"Traceback" not in export.stderr.read()
    export.stderr.close()


def test_to_what_is_no_file(engine: Engine) -> None:
    """A device is written, not replaced."""
    assert run(engine, "export", "--to", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()
