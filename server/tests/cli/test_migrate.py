"""`ecart migrate-1.0`: what it says, its exit codes, and that a bare command changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from ecart import Cart
from ecart_server.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

pytestmark = pytest.mark.foreign_data


def run(engine: Engine, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["migrate-1.0", *arguments], env={"ECART_REDIS_URL": engine.url, "COLUMNS": "80"}
    )


@pytest.fixture
def client(engine: Engine) -> Iterator[Any]:
    """Two old carts in order, and one that is not."""
    with engine.connected() as connected:
        product = '{"unit_cost": 1.5, "quantity": 2}'
        connected.hset("E-CART:USER_ID:7", mapping={"p": product, "q": product})
        connected.hset("E-CART:USER_ID:8", mapping={"p": product})
        connected.hset("E-CART:USER_ID:\x1b[31m", mapping={"\x9b": '{"unit_cost": NaN}'})
        yield connected
        connected.flushall()


def test_it_says_first_what_it_would_do(client: Any, engine: Engine) -> None:
    """Nothing is changed; what is refused is reported, printable, and makes exit code 1."""
    said = run(engine)

    assert said.exit_code == 1
    assert said.stdout.startswith("3 carts of E-Cart 1.0, 3 lines, in ")
    assert ": 2 to be written, 1 refused\n" in said.stdout
    assert said.stdout.endswith("\nNothing was changed. --write writes the carts.\n")
    assert said.stderr.startswith("E-CART:USER_ID:\\x1b[31m: product '\\x9b': ")
    assert said.stderr.endswith(" [broken_product]\n")
    assert len(client.keys("*")) == 3


def test_it_writes_and_deletes_if_told(client: Any, engine: Engine) -> None:
    """And says how many; once all is over, a repeat finds what was refused."""
    written = run(engine, "--write", "--cart-id", "user.{}", "--currency", "EUR")
    deleted = run(engine, "--write", "--cart-id", "user.{}", "--currency", "EUR", "--delete")
    again = run(engine, "--write", "--json")

    assert ": 2 written, 1 refused\n" in written.stdout
    assert written.stdout.endswith("\nThe old carts stay.\n")
    assert ": 2 brought over before, 1 refused\n" in deleted.stdout
    assert deleted.stdout.endswith("\n2 old carts deleted.\n")
    assert json.loads(again.stdout)["problems"]["counts"] == {"broken_product": 1}
    cart = Cart("user.7", client).get()
    assert (cart.currency, str(cart.subtotal)) == ("EUR", "6")


@pytest.mark.parametrize(
    "arguments", [["--delete"], ["--cart-id", "user"], ["--cart-id", ""], ["now"]]
)
def test_wrong_usage(engine: Engine, arguments: list[str]) -> None:
    """Exit code 2."""
    assert run(engine, *arguments).exit_code == 2
