"""`ecart carts`: abandoned carts as pages, for people and for programs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from ecart import Cart, RedisStore
from ecart.stores.redis.index import note
from ecart_server.cli import main
from transfer.filling import HOSTILE, KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

HOUR = 3_600_000


def run(engine: Engine, *arguments: str) -> Result:
    env = {"ECART_REDIS_URL": engine.url, "COLUMNS": "120"}
    return CliRunner().invoke(main, ["carts", *arguments], env=env)


def age(client: Any, cart_id: str, hours: int) -> None:
    """Makes its last change so long ago, as if nobody had touched it since."""
    key = KEYS.cart(cart_id)
    version, digest, updated, *rest = client.hget(key, "v").decode().split("|")
    then = int(updated) - hours * HOUR
    client.hset(key, "v", "|".join([version, digest, str(then), *rest]))
    client.pexpireat(key, then + 604_800_000)
    index, member = note(key, 0)[0][1], note(key, 0)[0][4]
    client.zadd(index, {member: then})


@pytest.fixture
def client(engine: Engine) -> Iterator[Any]:
    """Ten carts, idle for 0 to 9 hours."""
    with engine.connected() as connected:
        store = RedisStore(connected)
        for hours in range(10):
            Cart(f"idle-{hours}", store).add("apple", 1 + hours, unit_price="1.5")
            age(connected, f"idle-{hours}", hours)
        yield connected


def test_abandoned_carts(client: Any, engine: Engine) -> None:
    """Longest idle first, and none that was touched since."""
    said = run(engine, "--idle", "7h")

    rows = [re.sub(r"\s+", " ", row).strip(" │") for row in said.stdout.splitlines() if "│" in row]
    assert said.exit_code == 0
    assert [row.split(" │ ")[0] for row in rows] == ["idle-9", "idle-8", "idle-7"]
    assert re.fullmatch(
        r"idle-9 │ 1 │ 10 │ 15.00 USD │ 9 h( \d min)? │ 6 d 1[45] h │ open", rows[0]
    )
    assert said.stderr == ""


def test_page_after_page(client: Any, engine: Engine) -> None:
    """The cursor that is said leads through all of them, once each."""
    found, after = [], []
    while True:
        page = run(engine, "--limit", "3", *after, "--json")
        document = json.loads(page.stdout)
        found += [cart["cart_id"] for cart in document["carts"]]
        if document["after"] is None:
            break
        after = ["--after", document["after"]]

    assert found == [f"idle-{hours}" for hours in range(9, -1, -1)]
    said = run(engine, "--limit", "3")
    assert said.stderr.startswith("More: --after '") and "idle-7" in said.stderr


def test_as_json(client: Any, engine: Engine) -> None:
    """What a program needs to write to the shopper."""
    document = json.loads(run(engine, "--idle", "9h", "--json").stdout)
    (cart,) = document["carts"]

    idle = document["now_ms"] - cart.pop("updated_ms")
    assert 9 * HOUR <= idle < 9 * HOUR + 60_000
    assert cart.pop("expires_ms") == document["now_ms"] - idle + 604_800_000
    assert cart == {
        "cart_id": "idle-9",
        "line_count": 1,
        "total_quantity": 10,
        "subtotal": "15",
        "currency": "USD",
        "state": "open",
    }


def test_newest_and_empty(client: Any, engine: Engine) -> None:
    """The other way round; and carts without lines, if they are wanted."""
    Cart("empty", RedisStore(client)).add("apple")
    Cart("empty", RedisStore(client)).clear()

    newest = json.loads(run(engine, "--newest", "--limit", "2", "--json").stdout)["carts"]
    with_empty = json.loads(run(engine, "--with-empty", "--json").stdout)["carts"]

    assert [cart["cart_id"] for cart in newest] == ["idle-0", "idle-1"]
    assert len(with_empty) == 11


def test_none(engine: Engine) -> None:
    """Is said."""
    assert run(engine).stdout == "No carts.\n"
    assert json.loads(run(engine, "--json").stdout)["carts"] == []


def test_hostile_ids_are_spelled_out(engine: Engine) -> None:
    """On the terminal and in JSON."""
    with engine.connected() as client:
        for text in HOSTILE:
            Cart(text, client).add("apple")

    table, as_json = run(engine), run(engine, "--json")
    cursor = run(engine, "--limit", "1").stderr

    for output in (table.stdout, as_json.stdout, cursor):
        assert all(c.isprintable() or c == "\n" for c in output)
    assert {cart["cart_id"] for cart in json.loads(as_json.stdout)["carts"]} == set(HOSTILE)


def test_a_cursor_that_is_none(engine: Engine) -> None:
    """One line with the code."""
    said = run(engine, "--after", "x\x1b")

    assert (said.exit_code, said.stderr[-17:]) == (1, "[invalid_cursor]\n")


@pytest.mark.parametrize("arguments", [["--idle", "1y"], ["--limit", "0"], ["x"]])
def test_wrong_usage(engine: Engine, arguments: list[str]) -> None:
    """Exit code 2."""
    assert run(engine, *arguments).exit_code == 2
