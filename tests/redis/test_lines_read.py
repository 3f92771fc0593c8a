"""Lines that were read before are known again, and nobody's changes to what was read show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from ecart import Cart
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from engines import Engine


def test_details_belong_to_whoever_read_them(engine: Engine) -> None:
    """A reader who changes them, or the options, changes what it has, and no later reading."""
    with engine.connected() as client:
        cart = Cart("c", client)
        cart.add("mug", unit_price="1", options={"size": "M"}, details={"note": "fragile"})

        for _ in range(2):
            (line,) = cart.get().lines
            assert (line.details, line.options) == ({"note": "fragile"}, {"size": "M"})
            cast("dict[str, Any]", line.details)["note"] = "dropped"
            cast("dict[str, Any]", line.options)["size"] = "XXL"


@pytest.mark.parametrize("text", ['2|0.5|1|"Tea|', "2||1||", '2|0.5|1|"Te%7Ca|{"o":{"a":1}}'])
def test_what_reads_alike_is_of_its_own_line(engine: Engine, text: str) -> None:
    """The same text in two fields, and in two carts, is four lines with the right ids."""
    with engine.connected() as client:
        for cart_id in ("a", "b"):
            cart, key = Cart(cart_id, client), Keyspace().cart(cart_id)
            cart.add("tea", unit_price="0.5")
            cart.add("jam", unit_price="0.5")
            saved = client.hgetall(key)
            client.hset(key, mapping={":tea": text, ":jam": text})

            lines = cart.get().lines

            assert [line.line_id for line in lines] == ["tea", "jam"]
            assert [line.quantity for line in lines] == [2, 2]
            client.hset(key, mapping=saved)
