"""The look at every key after every test, looked at itself: it must see what is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ecart import Cart
from invariants import violations, wrong_with_cart

if TYPE_CHECKING:
    from engines import Engine

NOW = 1_700_000_000_000
GOOD = {
    b"v": b"3|abcdefgh|1700000000000|1|1|1700000000000",
    b"c": b"2|5|31|500000000|2",
    b"m": b"1|abcdefghijk|USD|1600000000000|60000",
    b":apple": b"3|10.5|1||",
    b":pear": b'2||2|"Pear|{"o":{"size":"M"}}',
    b"~abcdefghijk.1": b"2|0123abcd|1700000000",
    b"#abcdefghijklmnop": b"1|0123abcd|1700000000",
}
GONE = {
    b"v": b"3|abcdefgh|1700000000000|0|0|1700000000000",
    b"c": b"0|0|0|0|2",
    b"m": b"1|abcdefghijk|USD|1600000000000|!900000",
    b"s": b"gone",
}


def test_a_good_cart_has_nothing_wrong() -> None:
    """Open, for ever, gone: each in order."""
    assert wrong_with_cart(GOOD, 60_000, NOW) == []
    assert wrong_with_cart(GOOD, 50_000, NOW + 10_000) == []
    assert wrong_with_cart({**GOOD, b"m": b"1|abcdefghijk|USD|1600000000000|!0"}, -1, NOW) == []
    assert wrong_with_cart(GONE, 900_000, NOW) == []


@pytest.mark.parametrize(
    "field, value, said",
    [
        (b"x", b"1", "an unknown field"),
        (b"vv", b"1", "an unknown field"),
        (b"", b"1", "an unknown field"),
        (b"~short.1", b"2|0123abcd|1700000000", "an unknown field"),
        (b"#short", b"1|0123abcd|1700000000", "an unknown field"),
        (b": apple", b"1||3||", "an unknown field"),
        (b"v", b"3", "field 'v' is unreadable"),
        (b"v", b"3|abcdefgh|1700000000000|2|1|1700000000000", "2 records '~' counted"),
        (b"v", b"3|abcdefgh|1700000000000|1|0|1700000000000", "0 records '#&' counted"),
        (b"c", b"1|5|31|500000000|2", "line count 1, not 2"),
        (b"c", b"2|4|31|500000000|2", "total quantity 4, not 5"),
        (b"c", b"2|5|31|400000000|2", "subtotal 31400000000, not 31500000000"),
        (b"c", b"2|5|30|500000000|2", "subtotal 30500000000, not 31500000000"),
        (b"c", b"2|5|31|500000000|1", "last position 1 is below 2"),
        (b"c", b"2|5|30|1500000000|2", "field 'c' is unreadable"),
        (b"c", b"2|5|3.1e+01|5e+08|2", "field 'c' is unreadable"),
        (b"m", b"2|abcdefghijk|USD|1600000000000|60000", "field 'm' is unreadable"),
        (b"m", b"1|abcdefghijk|USD|1600000000000|70000", "expires in"),
        (b"m", b"1|abcdefghijk|USD|1600000000000|0", "never to expire"),
        (b"s", b"locked", "field 's' is unreadable"),
        (b"s", b"gone", "gone, but with lines"),
        (b":apple", b"0|10.5|1||", "field ':apple' is unreadable"),
        (b":apple", b"3|10.50|1||", "field ':apple' is unreadable"),
        (b":apple", b"3|1e1|1||", "field ':apple' is unreadable"),
        (b":apple", b"3|10.5|2||", "distinct positions 1, not 2"),
        (b":apple", b"3|10.5|1||{", "ends in something else"),
        (b":apple", b'3|10.5|1||{"x":1}', "ends in something else"),
        (b"~abcdefghijk.1", b"0|0123abcd|1700000000", "is unreadable"),
        (b"#abcdefghijklmnop", b"0|0123abcd|1700000000", "is unreadable"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_seen(field: bytes, value: bytes, said: str) -> None:
    """One field spoiled, one thing said."""
    wrong = wrong_with_cart({**GOOD, field: value}, 60_000, NOW)

    assert said in " ".join(wrong)


@pytest.mark.parametrize("field", [b"v", b"c", b"m"])
def test_a_missing_field_is_seen(field: bytes) -> None:
    """Each header field must be there."""
    fields = {name: value for name, value in GOOD.items() if name != field}

    assert wrong_with_cart(fields, 60_000, NOW) == [f"no field {field.decode()!r}"]


@pytest.mark.parametrize("field", [b":apple", b"~abcdefghijk.1", b"#abcdefghijklmnop"])
def test_a_lost_line_or_record_is_seen(field: bytes) -> None:
    """Counters tell what should be there."""
    fields = {name: value for name, value in GOOD.items() if name != field}

    assert wrong_with_cart(fields, 60_000, NOW)


@pytest.mark.parametrize("pttl", [-1, 1_000, 61_000])
def test_a_wrong_expiry_is_seen(pttl: int) -> None:
    """None at all, too early, too late."""
    assert len(wrong_with_cart(GOOD, pttl, NOW)) == 1


def test_a_tombstone_that_stays_is_seen() -> None:
    """What is gone is kept for fifteen minutes, whatever its time to live was."""
    fields = {**GONE, b"m": b"1|abcdefghijk|USD|1600000000000|60000"}

    assert wrong_with_cart(fields, 900_000, NOW) == []
    assert wrong_with_cart(fields, 60_000, NOW) == [
        "expires in 60000 ms, 0 ms after a change, with a ttl of 900000"
    ]


@pytest.mark.foreign_data
def test_every_key_is_looked_at(engine: Engine) -> None:
    """A string, a hash of a strange name, and a cart whose expiry was lost; not a sound cart."""
    Cart("sound", engine.url).add("apple", 2, unit_price="1.5", operation_id="x")
    with engine.connected() as client:
        assert violations(client) == []

        client.set("ecart:{1}:cart:a", "text")
        client.hset("stranger", "a", "b")
        Cart("eternal", engine.url).add("apple")
        client.persist("ecart:{638}:cart:eternal")

        assert sorted(violations(client)) == [
            "b'ecart:{1}:cart:a': a string, not a hash",
            "b'ecart:{638}:cart:eternal': no expiry",
            "b'stranger': a key of no known name",
        ]


RECORD = {"partitions": "1024", "schema": "1", "created": "1700000000000"}


def test_a_deployment_record_is_known(engine: Engine) -> None:
    """It is no cart, and never expires."""
    with engine.connected() as client:
        client.hset("ecart:deployment", mapping=RECORD)

        assert violations(client) == []


@pytest.mark.foreign_data
@pytest.mark.parametrize(
    "fields",
    [
        {"partitions": "1024"},
        {**RECORD, "partitions": "0"},
        {**RECORD, "schema": "2"},
        {**RECORD, "created": "now"},
        {**RECORD, "more": "1"},
    ],
)
def test_a_wrong_deployment_record_is_seen(engine: Engine, fields: dict[str, str]) -> None:
    """Too few fields, too many, or values that cannot be."""
    with engine.connected() as client:
        client.hset("ecart:deployment", mapping=fields)

        assert len(violations(client)) == 1


@pytest.mark.foreign_data
def test_a_deployment_record_that_expires_is_seen(engine: Engine) -> None:
    """Without it another number of partitions would go unnoticed."""
    with engine.connected() as client:
        client.hset("ecart:deployment", mapping=RECORD)
        client.expire("ecart:deployment", 60)

        assert violations(client) == ["b'ecart:deployment': expires, and is to stay"]


def test_time_passes(engine: Engine) -> None:
    """A cart is as sound a while later."""
    Cart("c", engine.url, ttl=100).add("apple")

    time.sleep(0.2)

    with engine.connected() as client:
        assert violations(client) == []


def test_what_the_service_keeps_is_known(engine: Engine) -> None:
    """A survey and two turns, each for a while."""
    with engine.connected() as client:
        client.set("ecart:survey", '{"carts": 3, "sizes": [{"carts": 1}, {"carts": 2}]}', ex=900)
        client.set("ecart:survey:turn", "taken", ex=60)
        client.set("ecart:sweep:turn", "taken", ex=3600)

        assert violations(client) == []


@pytest.mark.foreign_data
def test_a_turn_that_stays_is_seen(engine: Engine) -> None:
    """Nobody else would ever have it; and a survey must add up."""
    with engine.connected() as client:
        client.set("ecart:sweep:turn", "taken")
        client.set("ecart:survey", '{"carts": 3, "sizes": [{"carts": 1}]}', ex=900)

        assert sorted(violations(client)) == [
            "b'ecart:survey': its buckets do not add up to its carts",
            "b'ecart:sweep:turn': expires in -1 ms",
        ]
