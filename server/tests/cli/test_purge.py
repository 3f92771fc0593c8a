"""`ecart purge`: asks first, erases every trace, and says what was not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cli.terminals import Terminal
from ecart import Cart
from ecart_server.cli import main
from transfer.filling import HOSTILE, KEYS, fill

if TYPE_CHECKING:
    from engines import Engine


def run(engine: Engine, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["purge", *arguments], env={"ECART_REDIS_URL": engine.url})


def test_every_trace_goes(engine: Engine) -> None:
    """Of carts in any state, under any name; of those that are not there nothing is to be done."""
    fill(engine.url, 60)
    with engine.connected() as client:
        keys = [key.decode() for key in client.keys("ecart:{*}:cart:user-*")]
        names = [KEYS.cart_id(key) for key in keys]

        said = run(engine, "--yes", "--", *names, *HOSTILE, "nobody")

        assert said.exit_code == 0, said.output
        assert said.stdout == f"{len(names) + len(HOSTILE)} carts purged.\nNot there: nobody\n"
        left = {key.rpartition(b":")[2] for key in client.keys("ecart:{*}:cart:*")}
        noted = {m for key in client.keys("*:index") for m in client.zrange(key, 0, -1)}
        assert not left & {KEYS.cart(name).rpartition(":")[2].encode() for name in names}
        assert noted <= left


def test_a_cart_that_has_expired_leaves_the_index(engine: Engine) -> None:
    """Its id may be personal data, and it is in there until somebody looks."""
    with engine.connected() as client:
        Cart("ann@example.com", client).add("apple")
        client.delete(*client.keys("*:cart:*"))

        run(engine, "--yes", "ann@example.com")

        assert client.keys("*") == []


def test_as_json(engine: Engine) -> None:
    """What became of each."""
    with engine.connected() as client:
        Cart("a", client).add("apple")

    found = json.loads(run(engine, "a", "b\x1b", "--yes", "--json").stdout)

    assert found == {"purged": ["a"], "not_there": ["b\x1b"], "failed": {}}


@pytest.mark.foreign_data
def test_what_cannot_be_read_is_reported(engine: Engine) -> None:
    """Exit code 1; the others are purged."""
    with engine.connected() as client:
        Cart("a", client).add("apple")
        Cart("b", client).add("apple")
        client.hset(KEYS.cart("b"), "m", "x")

        said = run(engine, "--yes", "b", "a")

        assert said.exit_code == 1
        assert said.stderr.endswith("[corrupt_cart]\n")
        assert said.stdout == "1 cart purged.\n"
        client.flushall()


@pytest.mark.parametrize("arguments", [[], ["a"], ["--yes"]])
def test_nobody_is_asked_where_nobody_is(engine: Engine, arguments: list[str]) -> None:
    """Exit code 2, and nothing is erased."""
    with engine.connected() as client:
        Cart("a", client).add("apple")

    assert run(engine, *arguments).exit_code == 2
    with engine.connected() as client:
        assert Cart("a", client).get().exists


def test_an_id_that_cannot_be_stops_it_before(engine: Engine) -> None:
    """Not half of a list."""
    with engine.connected() as client:
        Cart("a", client).add("apple")

        said = run(engine, "--yes", "a", "x" * 257)

        assert (said.exit_code, said.stderr[-18:]) == (1, "[invalid_cart_id]\n")
        assert Cart("a", client).get().exists


@pytest.mark.parametrize("answer, exists, code", [(b"n\n", True, 1), (b"y\n", False, 0)])
def test_in_a_terminal_it_asks(engine: Engine, answer: bytes, exists: bool, code: int) -> None:
    """And shows which, printable."""
    with engine.connected() as client:
        Cart("a\x1b[31m", client).add("apple")

    terminal = Terminal(engine, "purge", "a\x1b[31m")
    assert terminal.wait_for(b"Erase 1 cart for good (a\\x1b[31m)? [y/N]: ")
    terminal.type(answer)

    assert terminal.end() == code
    assert b"\x1b[31m" not in terminal.said
    with engine.connected() as client:
        assert Cart("a\x1b[31m", client).get().exists is exists
