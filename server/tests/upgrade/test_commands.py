"""The commands on carts that an earlier version stored, and on the lines that it exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from ecart_server.cli import main
from upgrade.golden import MADE_MS, as_json, golden, moved, plant, recorded_part, stored

if TYPE_CHECKING:
    from engines import Engine, Engines
    from upgrade.golden import Golden

EXPORTED = Path(__file__).parent / "carts.jsonl"
STATES = {"open": 44, "locked": 3, "merging": 6, "merged": 2, "gone": 2}
SOUND = ("--maxmemory", "100mb", "--appendonly", "yes", "--appendfsync", "always")


def run(engine: Engine, *arguments: str, given: bytes | None = None) -> Result:
    env = {"ECART_REDIS_URL": engine.url, "COLUMNS": "80"}
    return CliRunner().invoke(main, list(arguments), input=given, env=env)


def exported(carts: Golden) -> bytes:
    """What `ecart export --sorted` wrote of them."""
    return moved(EXPORTED.read_text(), MADE_MS, carts.made_ms).encode()


def lines_by_id(lines: bytes) -> dict[str, bytes]:
    return {json.loads(line)["cart_id"]: line for line in lines.splitlines(keepends=True)}


def test_exports_are_the_same_bytes(before: Golden, engine: Engine) -> None:
    """In the same order, line by line."""
    lines = exported(before)

    export = run(engine, "export", "--sorted")

    assert export.exit_code == 0, export.stderr
    was = lines_by_id(lines)
    for cart_id, line in lines_by_id(export.stdout_bytes).items():
        assert line == was[cart_id]
    assert export.stdout_bytes == lines


def test_imports_store_the_same_carts(client: Any, engine: Engine) -> None:
    """Each field of each hash, and the moment at which the key expires; the bytes are counted."""
    carts = golden()

    report = run(engine, "import", "--json", given=exported(carts))

    assert report.exit_code == 0, report.output
    assert json.loads(report.stdout)["written"] == len(carts.carts) == 57
    for cart in carts.carts:
        hash_now = stored(client, cart)
        assert hash_now.pop("b").split("|")[0] == cart.hash["v"].split("|")[0]
        assert hash_now == cart.hash, cart.cart_id
        assert client.pexpiretime(cart.key) == (cart.expires_ms or -1), cart.cart_id


def test_an_import_recognises_what_is_there(before: Golden, client: Any, engine: Engine) -> None:
    """An export of before, imported into the store that it was made of, changes nothing."""
    report = run(engine, "import", "--json", given=exported(before))

    assert json.loads(report.stdout)["same"] == len(before.carts)
    for cart in before.carts:
        assert stored(client, cart) == cart.hash, cart.cart_id


def test_a_line_of_another_format_is_refused(engine: Engine) -> None:
    """A reader refuses what it does not know; the other lines are imported."""
    lines = exported(golden()).splitlines(keepends=True)
    later = lines[0].replace(b'{"format":1,', b'{"format":2,')

    report = run(engine, "import", "--json", given=b"".join([later, *lines[1:]]))

    found = json.loads(report.stdout)
    assert (report.exit_code, found["broken"], found["written"]) == (1, 1, len(lines) - 1)
    assert found["problems"]["counts"] == {"broken_line": 1}


@pytest.mark.foreign_data
def test_unknown_fields_are_passed_through(client: Any, engine: Engine) -> None:
    """Fields of a later version, which the line carries under `other`."""
    line = lines_by_id(exported(golden()))["plain"]
    later = line.replace(b"}\n", b',"other":{"zz":"1|\\u00fc"}}\n')

    assert run(engine, "import", given=later).exit_code == 0

    assert stored(client, golden().cart("plain"))["zz"] == "1|\u00fc"
    assert run(engine, "export").stdout_bytes == later


def test_the_doctor_finds_nothing(engines: Engines) -> None:
    """Notes on the engine alone, and the carts counted by state."""
    engine = engines.acquire_own("valkey9", *SOUND)
    with engine.connected() as client:
        plant(client, golden().carts)

    result = run(engine, "doctor", "--json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["ok"], found["carts"]["examined"]) == (0, True, 57)
    assert found["carts"]["states"] == STATES
    assert [finding["code"] for finding in found["findings"]] == ["no_replica", "not_recorded"]


def test_carts_are_shown_as_before(before: Golden, engine: Engine) -> None:
    """`ecart show --json`, whole; one that has ended is none."""
    shown = [cart for cart in before.carts if cart.view and cart.state != "gone"]
    assert len(shown) > 15
    for cart in shown:
        result = run(engine, "show", "--json", "--", cart.cart_id)

        assert result.exit_code == 0, result.stderr
        assert as_json(recorded_part(json.loads(result.stdout), cart.view)) == as_json(cart.view)
    assert run(engine, "show", "--json", "gone").exit_code == 1
