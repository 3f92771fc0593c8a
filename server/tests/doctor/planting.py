"""Damage, planted into carts that were sound: for each finding, what brings it about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecart import Cart, RedisStore
from ecart.flows import Perform
from ecart.model import Merge
from ecart.operations import BeginMerge, Rules
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = Keyspace()
KEY = KEYS.cart("c")
OTHER = "ecart:{0}:cart:c"


def fill(store: RedisStore) -> None:
    """A cart of two lines, five units, 31.50."""
    cart = Cart("c", store)
    cart.add("apple", 3, unit_price="10.5")
    cart.add("pear", quantity=2)


def begin_merge(store: RedisStore, client: Any, *, minutes: int) -> None:
    """The cart is on its way into `target`, and was so long ago last touched."""
    step = Perform("c", BeginMerge(merge=Merge("abcdefghijk", "sum", "target"), rules=Rules()))
    store.execute(step.cart_id, step.operation)
    version, digest, updated, *rest = client.hget(KEY, "v").decode().split("|")
    earlier = str(int(updated) - minutes * 60_000)
    client.hset(KEY, "v", "|".join([version, digest, earlier, *rest]))
    client.pexpire(KEY, 7 * 86_400_000 - minutes * 60_000)


PLANTS: dict[str, tuple[Callable[[Any, RedisStore], object], str, str, str]] = {
    "no expiry": (
        lambda client, store: client.persist(KEY),
        *("no_expiry", KEY, "to live 604800 s"),
    ),
    "a line too many counted": (
        lambda client, store: client.hset(KEY, "c", "3|5|31|500000000|2"),
        *("counters_differ", KEY, "line count 3, not 2"),
    ),
    "units wrong": (
        lambda client, store: client.hset(KEY, "c", "2|4|31|500000000|2"),
        *("counters_differ", KEY, "total quantity 4, not 5"),
    ),
    "whole units wrong": (
        lambda client, store: client.hset(KEY, "c", "2|5|30|500000000|2"),
        *("counters_differ", KEY, "whole units 30, not 31"),
    ),
    "billionths wrong": (
        lambda client, store: client.hset(KEY, "c", "2|5|31|500000001|2"),
        *("counters_differ", KEY, "billionths 500000001, not 500000000"),
    ),
    "position wrong": (
        lambda client, store: client.hset(KEY, "c", "2|5|31|500000000|1"),
        *("counters_differ", KEY, "last position 1, not 2"),
    ),
    "bytes wrong": (
        lambda client, store: client.hset(KEY, "b", client.hget(KEY, "v").split(b"|")[0] + b"|7"),
        *("counters_differ", KEY, "bytes of lines 7, not"),
    ),
    "a line lost": (
        lambda client, store: client.hdel(KEY, ":apple"),
        *("counters_differ", KEY, "line count 2, not 1"),
    ),
    "counters unreadable": (
        lambda client, store: client.hset(KEY, "c", "x"),
        *("unreadable_cart", KEY, "field c"),
    ),
    "no version": (
        lambda client, store: client.hdel(KEY, "v"),
        *("unreadable_cart", KEY, "field v"),
    ),
    "another layout": (
        lambda client, store: client.hset(KEY, "m", "2|abcdefghijk|USD|1|60000"),
        *("unreadable_cart", KEY, "field m"),
    ),
    "an unknown state": (
        lambda client, store: client.hset(KEY, "s", "frozen"),
        *("unreadable_cart", KEY, "field s"),
    ),
    "gone with lines": (
        lambda client, store: client.hset(KEY, "s", "gone"),
        *("unreadable_cart", KEY, "gone, but with lines"),
    ),
    "a line unreadable": (
        lambda client, store: client.hset(KEY, ":apple", "many"),
        *("unreadable_cart", KEY, "field :apple"),
    ),
    "a record unreadable": (
        lambda client, store: client.hset(KEY, "#abcdefghijklmnop", "x"),
        *("unreadable_cart", KEY, "field #abcdefghijklmnop"),
    ),
    "a mark unreadable": (
        lambda client, store: client.hset(
            KEY, mapping={"!apple": "x", "s": f"locked|x|{9 * 10**12}|1"}
        ),
        *("unreadable_cart", KEY, "field !apple"),
    ),
    "an unknown field": (
        lambda client, store: client.hset(KEY, "zz", "1"),
        *("unknown_field", KEY, "field zz"),
    ),
    "marks without a check-out": (
        lambda client, store: client.hset(KEY, "!apple", "1"),
        *("leftover_marks", KEY, "1 fields, state open"),
    ),
    "a string": (
        lambda client, store: client.set(OTHER, "text"),
        *("wrong_type", OTHER, "a string"),
    ),
    "a stream": (
        lambda client, store: client.xadd(OTHER, {"a": "b"}),
        *("wrong_type", OTHER, "a stream"),
    ),
    "another partition": (
        lambda client, store: client.rename(KEY, OTHER),
        *("orphan", OTHER, f"its id belongs to {KEY}"),
    ),
    "another spelling": (
        lambda client, store: client.rename(KEY, f"{KEY[:-1]}%63"),
        *("orphan", f"{KEY[:-1]}%63", f"its id belongs to {KEY}"),
    ),
    "an id in no UTF-8": (
        lambda client, store: client.rename(KEY, "ecart:{0}:cart:%FF"),
        *("orphan", "ecart:{0}:cart:%FF", "no UTF-8"),
    ),
    "a foreign name": (
        lambda client, store: client.set("ecart:cache", "1"),
        *("unknown_name", "ecart:cache", "not a name"),
    ),
    "a foreign name in bytes": (
        lambda client, store: client.set(b"ecart:\xff\n", "1"),
        *("unknown_name", "ecart:\ufffd\n", "not a name"),
    ),
    "a merge that broke off": (
        lambda client, store: begin_merge(store, client, minutes=61),
        *("stuck_merge", KEY, "into target, since 61 minutes"),
    ),
    "many lines": (
        lambda client, store: many_lines(client, 501),
        *("large_cart", KEY, "501 lines"),
    ),
    "a heavy line": (
        lambda client, store: heavy_line(client),
        *("large_cart", KEY, "2 lines"),
    ),
    "more lines than any rules allow": (
        lambda client, store: many_lines(client, 10_001),
        *("oversize_cart", KEY, "10001 lines"),
    ),
    "a key that is not read": (
        lambda client, store: client.hset(KEY, ":apple", "x" * (17 << 20)),
        *("oversize_cart", KEY, "bytes"),
    ),
    "carts of E-Cart": (
        lambda client, store: client.hset("E-CART:USER_ID:7", "p", "{}"),
        *("old_carts", "E-CART:USER_ID:7", "E-Cart 1.0"),
    ),
}


def heavy_line(client: Any) -> None:
    client.hset(KEY, ":apple", f'3|10.5|1|"{"x" * (1 << 20)}|')
    client.hdel(KEY, "b")


def many_lines(client: Any, count: int) -> None:
    """One unit without a price each, counted as they should be."""
    client.hdel(KEY, ":apple", ":pear", "b")
    client.hset(KEY, mapping={f":sku-{n}": f"1||{n}||" for n in range(1, count + 1)})
    client.hset(KEY, "c", f"{count}|{count}|0|0|{count}")
