"""What is no cart stays as it is: `corrupt_cart` names the key and the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, CorruptCartError
from ecart.stores.redis.keys import Keyspace
from operation_examples import OF_AN_OPEN_CART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine

pytestmark = pytest.mark.foreign_data

KEY = Keyspace().cart("c")

CHANGES: dict[str, Callable[[Cart], object]] = {
    **{
        name: lambda cart, change=change: cart.perform(change)
        for name, change in OF_AN_OPEN_CART.items()
    },
    "purge": lambda cart: cart.purge(),
}
READS: dict[str, Callable[[Cart], object]] = {
    "get": lambda cart: cart.get(),
    "summary": lambda cart: cart.summary(),
    "line": lambda cart: cart.line("apple"),
    "contains": lambda cart: cart.contains("apple"),
    "ttl": lambda cart: cart.ttl(),
    "resolve": lambda cart: cart.resolve("job-1"),
}
# An operation on one line has its id.
OF_ONE_LINE = {name for name, change in OF_AN_OPEN_CART.items() if hasattr(change, "line_id")}
OF_ONE_LINE |= {"get", "line", "contains"}

OTHER_TYPES: dict[str, tuple[Any, ...]] = {
    "string": ("SET", KEY, "text"),
    "list": ("RPUSH", KEY, "a", "b"),
    "set": ("SADD", KEY, "a"),
    "sorted_set": ("ZADD", KEY, "1", "a"),
    "stream": ("XADD", KEY, "*", "a", "b"),
}
# Names, values, and the field that is to blame; of the header, so that every change must see it.
HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "another version": ({"m": "2|abcdefghijk|USD|1600000000000|60000"}, "m"),
    "no currency": ({"m": "1|abcdefghijk||1600000000000|60000"}, "m"),
    "nothing made": ({"m": ""}, "m"),
    "no version": ({"v": None}, "v"),
    "a word for a version": ({"v": "x|abcdefgh|1700000000000|1|0|1700000000000"}, "v"),
    "a negative version": ({"v": "-1|abcdefgh|1700000000000|1|0|1700000000000"}, "v"),
    "a short version": ({"v": "1"}, "v"),
    "bytes for a version": ({"v": b"\xff\xfe"}, "v"),
    "no counters": ({"c": None}, "c"),
    "counters in another form": ({"c": "1|1|1e+15|0|1"}, "c"),
    "an unknown state": ({"s": "frozen"}, "s"),
}
LINES: dict[str, bytes] = {
    "a word for a quantity": b"abc|1.5|1||",
    "a negative quantity": b"-1|1.5|1||",
    "E-Cart's JSON": b'{"unit_cost": 1, "quantity": 2}',
    "nothing": b"",
    "too few bars": b"1|1.5|1",
}
TEXTS: dict[str, bytes] = {
    "title in no UTF-8": b'1|1.5|1|"\xff\xfe|',
    "extra in no UTF-8": b'1|1.5|1||{"d":{"a":"\xff"}}',
    "extra no JSON": b"1|1.5|1||{",
    "extra no object": b"1|1.5|1||[1]",
    "extra too deep": b'1|1.5|1||{"d":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "price of two points": b"1|1.5.5|1||",
    "price of ten decimals": b"1|1.0123456789|1||",
}


@pytest.fixture
def client(any_engine: Engine) -> Iterator[Any]:
    with any_engine.connected() as client:
        yield client


def each(name: str, table: dict[str, Any]) -> Any:
    return pytest.mark.parametrize(name, table.values(), ids=table)


def is_corrupt(client: Any, call: Callable[[Cart], object], field: str) -> None:
    """The call is refused with the key and the field, and the value stays byte for byte."""
    before = stored(client)

    with pytest.raises(CorruptCartError) as corrupt:
        call(Cart("c", client))

    assert corrupt.value.code == "corrupt_cart"
    assert (corrupt.value.key, corrupt.value.field) == (KEY, field)
    assert stored(client) == before


def stored(client: Any) -> tuple[object, bool]:
    """What is under the key, and whether it expires."""
    is_hash = client.type(KEY) == b"hash"
    return client.hgetall(KEY) if is_hash else client.dump(KEY), client.pttl(KEY) > 0


@each("call", CHANGES | READS)
@each("command", OTHER_TYPES)
def test_another_type_is_left_alone(
    client: Any, command: tuple[Any, ...], call: Callable[[Cart], object]
) -> None:
    """A string, a list, a set under the cart's key."""
    client.execute_command(*command)

    is_corrupt(client, call, "type")


@each("call", CHANGES | READS)
def test_a_cart_of_e_cart_is_left_alone(client: Any, call: Callable[[Cart], object]) -> None:
    """A hash of E-Cart 1.0 has products for fields."""
    client.hset(KEY, mapping={"p1": '{"unit_cost": 1, "quantity": 2}', "p2": "{}"})

    is_corrupt(client, call, "m")


@each("call", {**CHANGES, "get": READS["get"], "summary": READS["summary"]})
@each("planted", HEADERS)
def test_an_unreadable_header_is_left_alone(
    client: Any, planted: tuple[dict[str, Any], str], call: Callable[[Cart], object]
) -> None:
    """Every change and every reading of the whole sees it."""
    values, field = planted
    Cart("c", client).add("apple", unit_price="1.5")
    for name, value in values.items():
        client.hdel(KEY, name) if value is None else client.hset(KEY, name, value)

    is_corrupt(client, call, field)


@each("call", {name: call for name, call in (CHANGES | READS).items() if name in OF_ONE_LINE})
@each("value", LINES)
def test_an_unreadable_line_is_left_alone(
    client: Any, value: bytes, call: Callable[[Cart], object]
) -> None:
    """By those who would touch it."""
    Cart("c", client).add("apple", unit_price="1.5")
    client.hset(KEY, ":apple", value)

    is_corrupt(client, call, ":apple")


@each("call", {name: READS[name] for name in ("get", "line", "contains")})
@each("value", TEXTS)
def test_unreadable_text_is_reported(
    client: Any, value: bytes, call: Callable[[Cart], object]
) -> None:
    """Scripts do not look into a line's text; readers do."""
    Cart("c", client).add("apple", unit_price="1.5")
    client.hset(KEY, ":apple", value)

    is_corrupt(client, call, ":apple")


def test_a_name_in_no_utf8_is_reported(client: Any) -> None:
    """Whatever bytes: the error is one that can be printed."""
    Cart("c", client).add("apple", unit_price="1.5")
    client.hset(KEY, b":\xff", b"1|1.5|2||")

    is_corrupt(client, READS["get"], ":\ufffd")


def test_a_line_too_many_is_reported(client: Any) -> None:
    """Counters that do not tell the lines there are mean that somebody else wrote."""
    Cart("c", client).add("apple", unit_price="1.5")
    client.hset(KEY, ":pear", "1||2||")

    is_corrupt(client, READS["get"], "c")


def test_other_lines_go_on(client: Any) -> None:
    """One spoiled line does not take the others with it."""
    cart = Cart("c", client)
    cart.add("apple")
    cart.add("pear")
    client.hset(KEY, ":apple", "abc")

    assert cart.add("pear").summary.total_quantity == 3
    assert cart.remove("pear").summary.line_count == 1
    assert cart.clear().summary.line_count == 0
    assert cart.get().lines == ()


@each("value", {"foreign": b"x", "empty": b"", "negative": b"-1|0123abcd|1700000000"})
def test_an_unreadable_record_is_left_alone(client: Any, value: bytes) -> None:
    """The change that it would belong to is refused."""
    cart = Cart("c", client)
    cart.add("apple", operation_id="x")
    (record,) = (name for name in client.hkeys(KEY) if name[:1] == b"#")
    client.hset(KEY, record, value)

    is_corrupt(client, lambda cart: cart.add("apple", operation_id="x"), record.decode())
    assert cart.add("apple", operation_id="y").version == 2
