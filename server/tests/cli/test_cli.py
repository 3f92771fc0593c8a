"""The `ecart` command at a terminal: what it shows, how it fails, what it never lets through."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from ecart import Cart, RedisStore
from ecart_server.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

HOSTILE = [
    "[red]bold[/red]", "[link=http://evil.test]x[/link]", ":smile:", "<script>alert(1)</script>",
    "\u202egnp.exe", "a\u200bb", "\ufeff", "%s %d {0}", "=HYPERLINK(1)", "\\x1b[31m", "\ue000",
    "a\u0301" * 20, "👩\u200d👩\u200d👧", "\u2066x\u2069",
]  # fmt: skip


@pytest.fixture
def store(engine: Engine) -> Iterator[RedisStore]:
    opened = RedisStore(engine.url)
    yield opened
    opened.close()


@pytest.fixture
def cart(store: RedisStore) -> Cart:
    """A cart with a line of every kind."""
    made = Cart("user-1", store)
    made.add("apple", 3, unit_price="0.50", title="Apple")
    made.add("shirt", unit_price="19.9", options={"size": "M", "gift": True})
    made.add("unicorn", details={"mane": "pink"})
    return made


def run(engine: Engine | None, *arguments: str, env: dict[str, str] | None = None) -> Result:
    where = {"ECART_REDIS_URL": engine.url} if engine else {}
    return CliRunner().invoke(main, list(arguments), env={**where, **(env or {})})


def test_show_as_a_table(cart: Cart, engine: Engine) -> None:
    """Lines, options, prices, and what they add up to."""
    shown = run(engine, "show", "user-1", env={"COLUMNS": "100"})

    assert shown.exit_code == 0
    assert shown.stderr == ""
    rows = [re.sub(r"\s+", " ", line).strip(" │┃") for line in shown.stdout.splitlines()]
    assert "cart user-1" in rows[0]
    assert "apple │ │ 3 │ 0.50 │ 1.50" in rows
    assert "Apple" in rows
    assert "shirt │ gift=True, size=M │ 1 │ 19.90 │ 19.90" in rows
    assert "unicorn │ │ 1 │ – │ –" in rows
    assert "3 lines │ │ 5 │ │ 21.40 USD" in rows
    assert re.search(r"version 3, expires \d{4}-\d\d-\d\d \d\d:\d\d UTC", shown.stdout)


def test_show_as_json(cart: Cart, engine: Engine) -> None:
    """As the HTTP API shows it, for other programs."""
    shown = run(engine, "show", "user-1", "--json")

    found = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert [item["sku"] for item in found["items"]] == ["apple", "shirt", "unicorn"]
    assert (found["cart_id"], found["subtotal"], found["version"]) == ("user-1", "21.40", 3)
    assert found["items"][2]["details"] == {"mane": "pink"}
    assert shown.stdout.startswith("{\n  ")


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_show_of_no_cart(engine: Engine, arguments: list[str]) -> None:
    """Exit code 1, and a line on standard error."""
    shown = run(engine, "show", "nobody", *arguments)

    assert shown.exit_code == 1
    assert shown.stderr == "ecart: there is no cart 'nobody' [cart_not_found]\n"


def test_show_writes_nothing(engine: Engine) -> None:
    """Looking for a cart does not make it."""
    run(engine, "show", "nobody")

    with engine.connected() as client:
        assert client.keys("*") == []


@pytest.mark.parametrize("cart_id", ["", "x" * 257])
def test_show_of_what_cannot_be_an_id(engine: Engine, cart_id: str) -> None:
    """The library's refusal with its code."""
    shown = run(engine, "show", cart_id)

    assert shown.exit_code == 1
    assert shown.stderr.endswith("[invalid_cart_id]\n")


def test_show_of_an_empty_cart(cart: Cart, engine: Engine) -> None:
    """It exists, so it is shown."""
    cart.clear()

    shown = run(engine, "show", "user-1")

    assert shown.exit_code == 0
    assert "0 lines" in shown.stdout


def test_show_of_a_cart_that_never_expires(store: RedisStore, engine: Engine) -> None:
    """It says so."""
    Cart("user-1", store, ttl=None).add("apple")

    assert "expires never" in run(engine, "show", "user-1").stdout


@pytest.mark.parametrize("columns", [20, 40, 80, 250])
def test_show_at_any_width(cart: Cart, engine: Engine, columns: int) -> None:
    """No line is wider than the terminal."""
    shown = run(engine, "show", "user-1", env={"COLUMNS": str(columns)})

    assert max(len(line) for line in shown.stdout.splitlines()) <= columns


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_shoppers_wrote_does_nothing(store: RedisStore, engine: Engine, text: str) -> None:
    """In SKU, title, options or id: no markup, no control, nothing that turns text around."""
    Cart(text, store).add(
        text.strip("\ufeff") or "x", unit_price=Decimal(1), title=text, options={text: text}
    )

    table = run(engine, "show", text, env={"COLUMNS": "250"})
    as_json = run(engine, "show", text, "--json")

    assert (table.exit_code, as_json.exit_code) == (0, 0)
    for output in (table.stdout, as_json.stdout):
        assert all(c.isprintable() or c == "\n" for c in output)
    assert json.loads(as_json.stdout)["items"][0]["title"] == text
    if text.isascii():
        assert text in table.stdout


@pytest.mark.parametrize("cart_id", ["\x1b[31m", "a\nb", "\r", "\x07", "\x9b2J", "[red]", "\u202e"])
def test_hostile_ids_are_spelled_out(store: RedisStore, engine: Engine, cart_id: str) -> None:
    """Found or not found, no control character of an id reaches the terminal."""
    missing = run(engine, "show", cart_id)
    Cart(cart_id, store).add("apple")
    found = run(engine, "show", cart_id)

    assert (missing.exit_code, found.exit_code) == (1, 0)
    for output in (missing.stderr, found.stdout):
        assert all(c.isprintable() or c == "\n" for c in output)
    assert missing.stderr.count("\n") == 1


def test_hostile_details_are_spelled_out(store: RedisStore, engine: Engine) -> None:
    """Details may hold any text; as JSON its controls are escaped, the one-byte ones too."""
    details = {"a": "\x1b[31m \x9b2J \x7f \u202e \U000e0001 é"}
    Cart("user-1", store).add("apple", details=details)

    shown = run(engine, "show", "user-1", "--json")

    assert all(c.isprintable() or c == "\n" for c in shown.stdout)
    assert json.loads(shown.stdout)["items"][0]["details"] == details
    assert "é" in shown.stdout


def test_a_real_terminal(cart: Cart, store: RedisStore, engine: Engine) -> None:
    """On a terminal, styles are rich's own; what the cart holds adds none."""
    Cart("user-2", store).add("[red]x[/red]", title=":smile: [bold]")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from ecart_server.cli import main; main()", "show", "user-2"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "ECART_REDIS_URL": engine.url, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(follower)
    said = b""
    while select.select([leader], [], [], 20)[0]:
        try:
            piece = os.read(leader, 65_536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.close(leader)

    assert process.wait(10) == 0
    assert b"[red]x[/red]" in said
    assert b":smile: [bold]" in said
    assert b"\x1b[31m" not in said


def test_an_engine_that_is_not_there(engine: Engine) -> None:
    """One line with the code, not a stack trace."""
    shown = run(None, "show", "user-1", env={"ECART_REDIS_URL": "unix:///nowhere/s"})

    assert shown.exit_code == 1
    assert shown.stderr.count("\n") == 1
    assert shown.stderr.endswith("[store_unavailable]\n")


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis", ""])
def test_a_url_that_is_none(url: str, tmp_path: Any) -> None:
    """One line that names the schemes."""
    shown = CliRunner().invoke(main, ["show", "x", "--redis-url", url or "://"])

    assert shown.exit_code == 1
    assert "redis://" in shown.stderr
    assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize("keys", ["short", f"{'x' * 16},short", "x" * 15])
def test_office_keys_that_can_be_guessed(keys: str, tmp_path: Any) -> None:
    """One line, before any engine is started."""
    shown = CliRunner().invoke(
        main,
        ["serve", "--data-dir", str(tmp_path)],
        env={"ECART_OFFICE_KEYS": keys, "ECART_SECRET": "x" * 16, "ECART_REDIS_URL": ""},
    )

    assert shown.exit_code == 1
    assert shown.stderr.endswith("[configuration_error]\n")
    assert "ECART_OFFICE_KEYS" in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_version() -> None:
    """The version of the distribution."""
    assert run(None, "--version").stdout == f"ecart, version {version('ecart')}\n"


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(flag: str) -> None:
    """What it is, its commands and its exit codes."""
    shown = run(None, flag)

    assert shown.exit_code == 0
    for text in ("never loses an item", "serve", "show", "Exit codes"):
        assert text in shown.stdout


def test_help_names_every_option_and_its_default() -> None:
    """Of `serve`, and of `show`."""
    serve = run(None, "serve", "--help").stdout
    show = run(None, "show", "--help").stdout

    for name in (
        "--host", "--port", "--workers", "--redis-url", "--data-dir", "--engine", "--fsync",
        "--catalog", "--currency", "--ttl", "--trusted-origin", "ECART_SECRET", "127.0.0.1",
        "8000", "604800",
        "--hold", "--keep-additions", "ECART_OFFICE_KEYS", "900",
    ):  # fmt: skip
        assert name in serve
    for name in ("CART_ID", "--json", "--redis-url", "--data-dir"):
        assert name in show


@pytest.mark.parametrize("arguments", [["sell"], ["show"], ["show", "a", "b"], ["--colour"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """Exit code 2, and how it is used."""
    shown = run(None, *arguments)

    assert shown.exit_code == 2
    assert "Usage: " in shown.stderr


def test_show_of_no_cart_where_another_form_is_recorded(engine: Engine) -> None:
    """With other partitions every cart seems missing: the record tells which to use."""
    with engine.connected() as client:
        client.hset("ecart:deployment", mapping={"partitions": 16, "schema": 1, "created": 1})

    shown = run(engine, "show", "nobody")

    assert shown.exit_code == 1
    assert "--partitions 16" in shown.stderr
    assert shown.stderr.endswith("[configuration_error]\n")


@pytest.mark.parametrize(
    "options", [["--replicas", "1"], ["--durability", "replicated", "--replicas", "0"]]
)
def test_a_durability_that_cannot_be_is_wrong_usage(options: list[str]) -> None:
    """Exit code 2, before anything is started."""
    result = CliRunner().invoke(main, ["serve", *options])

    assert result.exit_code == 2
    assert "replicas" in result.output
