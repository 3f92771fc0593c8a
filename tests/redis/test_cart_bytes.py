"""The bytes of a cart are counted along, and anew after a change that did not count them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, Rules
from ecart.errors import CartTooLargeError
from ecart.stored_text import bytes_of
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from engines import Engine

KEY = Keyspace().cart("c")


def counted(client: Any) -> tuple[int, int]:
    """The version and the bytes in field `b`."""
    version, size = client.hget(KEY, "b").split(b"|")
    return int(version), int(size)


def change_as_before(client: Any, title: str) -> None:
    """What a version that does not know the field leaves: another title, the next version."""
    quantity, price, position, *_ = client.hget(KEY, ":apple").decode().split("|")
    version, _, rest = client.hget(KEY, "v").decode().partition("|")
    line = f'{quantity}|{price}|{position}|"{title}|'
    client.hset(KEY, mapping={":apple": line, "v": f"{int(version) + 1}|{rest}"})


def commands(client: Any) -> dict[str, int]:
    """How often each command has run."""
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}


def test_each_change_counts(any_engine: Engine) -> None:
    """What is stored is what the lines have, at the version of the cart, after every change."""
    with any_engine.connected() as client:
        cart, other = Cart("c", client), Cart("other", client)
        other.add("plum", title="Plum", options={"size": "XL"})
        steps = [
            lambda: cart.add("apple", 2, title="Ä|p%fel", options={"k": "ü"}),
            lambda: cart.add("pear", unit_price="1.50", details={"gift": True}),
            lambda: cart.add("pear", title="Pear", details={"gift": False, "to": "Ada"}),
            lambda: cart.set_quantity("pear", 7),
            lambda: cart.set_ttl(60),
            lambda: cart.merge_from("other"),
            lambda: cart.remove("plum", options={"size": "XL"}),
            lambda: cart.set_quantity("pear", 0),
            lambda: cart.begin_checkout(keep_additions=True),
            lambda: cart.add("fig", 3, title="Fig"),
            lambda: cart.complete_checkout(cart.get().lock.checkout_id, "order 1"),
            cart.clear,
            lambda: cart.add("nut"),
            cart.destroy,
        ]  # fmt: skip
        for step in steps:
            step()

            snapshot = cart.get()
            assert counted(client) == (snapshot.version, bytes_of(snapshot.lines))


def test_an_older_versions_change_is_noticed(engine: Engine) -> None:
    """The sum of before it is not used, in either direction, and the next one is right."""
    with engine.connected() as client:
        cart = Cart("c", client, rules=Rules(max_cart_bytes=100))
        cart.add("apple", title="short")
        change_as_before(client, "x" * 80)

        with pytest.raises(CartTooLargeError):
            cart.add("pear", title="y" * 20)

        assert counted(client)[0] == 1  # a refusal writes nothing
        cart.set_quantity("apple", 1)
        assert counted(client) == (3, len(':apple"|') + 80)
        change_as_before(client, "")
        cart.add("pear", title="y" * 20)
        assert counted(client) == (5, bytes_of(cart.get().lines))


@pytest.mark.parametrize("text", ["", "x", "1", "1|", "1|x", "1|-5", "01|9", "1|9|9"])
def test_a_count_that_cannot_be_read_is_made_anew(engine: Engine, text: str) -> None:
    """It is derived: nothing depends on it."""
    with engine.connected() as client:
        cart = Cart("c", client)
        cart.add("apple", title="Apple")
        client.hset(KEY, "b", text)

        cart.add("apple")

        assert counted(client) == (2, len(':apple"Apple|'))


def test_the_whole_cart_is_read_once_at_most(engine: Engine) -> None:
    """After a change that did not count, by the next change; by none after it."""
    with engine.connected() as client:
        cart = Cart("c", client)
        for n in range(50):
            cart.add(f"sku-{n}", title="Title")
        cart.add("apple")
        change_as_before(client, "longer")
        client.config_resetstat()

        cart.add("apple")
        assert commands(client)["hgetall"] == 1
        for change in (
            lambda: cart.add("apple", title="x"),
            lambda: cart.add("new"),
            lambda: cart.set_quantity("sku-7", 3),
            lambda: cart.remove("sku-8"),
            lambda: cart.set_ttl(60),
        ):
            change()

        assert commands(client)["hgetall"] == 1
