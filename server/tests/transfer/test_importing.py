"""Importing lines: safe to repeat, never over a cart that is to stay, whatever the lines are."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore, Rules, StoreUnavailableError
from ecart.operations import Prolong
from ecart.stores.redis.keys import place_in_index
from ecart_server.cart_index import list_carts
from ecart_server.redis_admin.connections import opened_nodes
from ecart_server.transfer import TransferProblem, export_carts
from transfer.filling import KEYS, export_lines, fill, import_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines

LINE: dict[str, Any] = {
    "format": 1,
    "cart_id": "c",
    "state": "open",
    "version": 3,
    "currency": "USD",
    "created_ms": 1_700_000_000_000,
    "updated_ms": 1_700_000_000_000,
    "expires_ms": None,
    "ttl_ms": None,
    "epoch": "4h8_SXD_dIg",
    "digest": "tsQr0yH4",
    "last_position": 2,
    "swept_ms": 1_700_000_000_000,
    "lines": [{"sku": "apple", "quantity": 3, "position": 1, "unit_price": "0.5"}],
}
LOCK = {"checkout_id": "abc", "deadline_ms": 1_700_000_000_000}
MERGE = {"merge_id": "abc", "policy": "sum", "target_id": "d"}
RECORD = {"sequence": 1, "fingerprint": "e3a7cf30", "at": 1_700_000_000}


def line(**changes: Any) -> bytes:
    return json.dumps({**LINE, **changes}).encode()


def with_line(**changes: Any) -> bytes:
    return line(lines=[{**LINE["lines"][0], **changes}])


@pytest.fixture
def store(engine: Engine) -> Iterator[RedisStore]:
    with closing(RedisStore(engine.url)) as opened:
        yield opened


def test_a_line_that_somebody_wrote(engine: Engine, store: RedisStore) -> None:
    """Facts stand once: counters and line ids follow from the rest."""
    shirt = {"sku": "shirt", "quantity": 1, "position": 2, "options": {"size": "M"}}

    import_lines(engine.url, [line(lines=[*LINE["lines"], shirt])])

    cart = Cart("c", store).get()
    assert (cart.total_quantity, str(cart.subtotal), cart.version) == (4, "1.5", 3)
    assert [ln.line_id for ln in cart.lines] == ["apple", "shirt:szioivahal2grb6j"]


def test_a_repeat_changes_nothing(engine: Engine) -> None:
    """Not a byte, and no expiry; the report says that all was there."""
    fill(engine.url, 60)
    lines = export_lines(engine.url)
    with engine.connected() as client:
        before = client.info("persistence")["rdb_changes_since_last_save"]

        called = client.info("commandstats")["cmdstat_evalsha"]["calls"]

        report = import_lines(engine.url, [*lines, *lines])

        assert client.info("persistence")["rdb_changes_since_last_save"] == before
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == called
    assert (report.same, report.written, report.refused) == (2 * len(lines), 0, 0)
    assert export_lines(engine.url) == lines


def test_a_line_twice(engine: Engine) -> None:
    """Near each other, too, where both were sent before one was answered."""
    report = import_lines(engine.url, [line(), line()])

    assert (report.written, report.same, report.problems.total) == (1, 1, 0)


@pytest.mark.parametrize(
    "there, policy, outcome",
    [
        ({"version": 4}, "keep", "newer"),
        ({"version": 4}, "update", "newer"),
        ({"version": 4}, "replace", "written"),
        ({"version": 2}, "keep", "refused"),
        ({"version": 2}, "update", "written"),
        ({"version": 2}, "replace", "written"),
        ({"epoch": "aaaaaaaaaaa"}, "keep", "refused"),
        ({"epoch": "aaaaaaaaaaa", "version": 2}, "update", "refused"),
        ({"epoch": "aaaaaaaaaaa"}, "replace", "written"),
        ({"digest": "another0"}, "keep", "refused"),
        ({"digest": "another0"}, "update", "refused"),
        ({"ttl_ms": 1000, "expires_ms": 9_999_999_999_999}, "keep", "refused"),
        ({"ttl_ms": 1000, "expires_ms": 9_999_999_999_999}, "update", "written"),
        ({"currency": "EUR"}, "replace", "written"),
        ({}, "replace", "same"),
    ],
)
@pytest.mark.foreign_data
def test_a_cart_that_is_there(
    engine: Engine, there: dict[str, Any], policy: Any, outcome: str
) -> None:
    """Stays as it is, to the byte, unless the policy says otherwise, and is reported."""
    import_lines(engine.url, [line(**there)])
    problems: list[TransferProblem] = []

    report = import_lines(engine.url, [line()], policy=policy, on_problem=problems.append)

    counts = {name: getattr(report, name) for name in ("written", "same", "newer", "refused")}
    assert counts == {**dict.fromkeys(counts, 0), outcome: 1}
    found = json.loads(export_lines(engine.url)[0])
    wanted = LINE if outcome in ("written", "same") else {**LINE, **there}
    assert {name: found[name] for name in wanted} == wanted
    assert [one.code for one in problems] == (["cart_differs"] if outcome == "refused" else [])


def test_a_cart_that_was_prolonged_meanwhile(engine: Engine, store: RedisStore) -> None:
    """Its version is the same: `--update` takes the longer life, whichever side has it."""
    early, late = Rules(ttl_ms=60_000), Rules()
    Cart("c", store, rules=early).add("apple")
    first = export_lines(engine.url)
    store.execute("c", Prolong(early_ms=60_000, rules=late))
    prolonged = export_lines(engine.url)

    here = import_lines(engine.url, first, policy="update")
    with engine.connected() as client:
        client.flushall()
    import_lines(engine.url, first)
    there = import_lines(engine.url, prolonged, policy="update")

    assert (here.newer, there.written) == (1, 1)
    assert export_lines(engine.url) == prolonged != first


def test_lines_of_another_cart_do_not_stay(engine: Engine, store: RedisStore) -> None:
    """A cart that is replaced is replaced whole."""
    Cart("c", store).add("pear", operation_id="job-1")

    import_lines(engine.url, [line()], policy="replace")

    with engine.connected() as client:
        assert set(client.hgetall(KEYS.cart("c"))) == {b"v", b"c", b"m", b"b", b":apple"}
        assert client.pttl(KEYS.cart("c")) == -1


def test_what_has_ended_stays_ended(engine: Engine) -> None:
    """A cart whose time ran out on the way is counted, and is no failure."""
    report = import_lines(engine.url, [line(expires_ms=1_700_000_001_000, ttl_ms=1000)])

    assert (report.ended, report.written, report.problems.total) == (1, 0, 0)
    assert export_lines(engine.url) == []


BROKEN: dict[str, bytes] = {
    "no JSON": b"{",
    "a cut line": line()[:-20],
    "no object": b"[1]",
    "another format": line(format=2),
    "no format": b"{}",
    "NaN": b'{"format": 1, "cart_id": NaN}',
    "no UTF-8": b'{"format": 1, "cart_id": "\xff"}',
    "nested too deeply": b"[" * 100_000,
    "an unknown name": line(colour="red"),
    "no id": json.dumps({n: v for n, v in LINE.items() if n != "cart_id"}).encode(),
    "an empty id": line(cart_id=""),
    "a long id": line(cart_id="x" * 257),
    "a lone surrogate": line(cart_id="\ud800"),
    "a number for an id": line(cart_id=7),
    "a word for a version": line(version="x"),
    "a negative version": line(version=-1),
    "a huge version": line(version=10**30),
    "another state": line(state="frozen"),
    "no currency": line(currency="XXX"),
    "an epoch with a bar": line(epoch="a|b"),
    "a digest with a line end": line(digest="a\nb"),
    "locked by nobody": line(state="locked"),
    "open with a lock": line(lock=LOCK),
    "a lock with a bar": line(state="locked", lock={**LOCK, "checkout_id": "a|b"}),
    "locked without lines": line(state="locked", lock=LOCK, lines=[]),
    "a check-out that saw too much": line(state="locked", lock={**LOCK, "ordered": {"apple": 4}}),
    "a check-out that saw less than nothing": line(
        state="locked", lock={**LOCK, "ordered": {"apple": -1}}
    ),
    "merging into nothing": line(state="merging", merge={**MERGE, "target_id": ""}),
    "another policy": line(state="merging", merge={**MERGE, "policy": "all"}),
    "gone with lines": line(state="gone"),
    "no SKU": with_line(sku=""),
    "a SKU with a control character": with_line(sku="a\x1b"),
    "no units": with_line(quantity=0),
    "half a unit": with_line(quantity=0.5),
    "true units": with_line(quantity=True),
    "too many units": with_line(quantity=10**7),
    "a negative price": with_line(unit_price="-1"),
    "a number for a price": with_line(unit_price=1.5),
    "a price in words": with_line(unit_price="1e3"),
    "a title with a control character": with_line(title="\x1b[31m"),
    "an option with a list": with_line(options={"a": [1]}),
    "another line's id": with_line(line_id="pear"),
    "details that are no object": with_line(details=[1]),
    "details with NaN": with_line(details={"a": float("nan")}),
    "position 0": with_line(position=0),
    "a position behind the last": with_line(position=3),
    "one line twice": line(lines=[*LINE["lines"], {**LINE["lines"][0], "position": 2}]),
    "two lines in one place": line(lines=[*LINE["lines"], {**LINE["lines"][0], "sku": "pear"}]),
    "more money than there is": line(
        lines=[{"sku": "a", "quantity": 1_000_000, "position": 1, "unit_price": "9" * 15}]
    ),
    "a record of no name": line(records={"x": RECORD}),
    "a record with a line end": line(records={"~4h8_SXD_dIg.1\n": RECORD}),
    "a fingerprint that is none": line(records={"~4h8_SXD_dIg.1": {**RECORD, "fingerprint": "|"}}),
    "a merge's record without outcome": line(records={"&abcdefghijklmnop": RECORD}),
    "another field of a known kind": line(other={":pear": "1||1||"}),
    "another field of the header": line(other={"s": "gone"}),
}  # fmt: skip


def test_broken_lines_are_reported_and_the_others_imported(engine: Engine) -> None:
    """Each by its number; a sound line between any two of them is imported."""
    lines = [text for n, broken in enumerate(BROKEN.values()) for text in (broken, sound(n))]
    problems: list[TransferProblem] = []

    report = import_lines(engine.url, [text + b"\n" for text in lines], on_problem=problems.append)

    numbers = {name: f"line {2 * n + 1}" for n, name in enumerate(BROKEN)}
    assert {name for name, at in numbers.items() if at not in {one.at for one in problems}} == set()
    assert (report.broken, report.written) == (len(BROKEN), len(BROKEN))
    assert report.problems.total == len(BROKEN)
    assert len(export_lines(engine.url)) == len(BROKEN)


def sound(number: int) -> bytes:
    return line(cart_id=str(number))


def test_blank_lines_are_skipped(engine: Engine) -> None:
    """They count as places, not as carts."""
    report = import_lines(engine.url, [b"\n", sound(1), b"  \r\n", b"x"])

    assert (report.lines, report.written, report.problems.first[0].at) == (2, 1, "line 4")


def test_fields_of_a_newer_version_are_imported(engine: Engine, engines: Engines) -> None:
    """Fields that this version does not know stay as they are."""
    with engine.connected() as client:
        import_lines(engine.url, [line()])
        client.hset(KEYS.cart("c"), "zz", "é|1")
        lines = export_lines(engine.url)
        client.flushall()
        import_lines(engine.url, lines)

        assert client.hget(KEYS.cart("c"), "zz") == "é|1".encode()
        client.flushall()


def test_from_a_line_on(engine: Engine) -> None:
    """Those before are not even read."""
    report = import_lines(engine.url, [b"{", sound(1), sound(2), sound(3)], from_line=3)

    assert (report.lines, report.written, report.broken, report.next_line) == (2, 2, 0, 5)


FOREIGN: dict[str, Callable[[Any], object]] = {
    "a string": lambda client: client.set(KEYS.cart("c"), "x"),
    "another layout": lambda client: client.hset(KEYS.cart("c"), "m", "2|x"),
}


@pytest.mark.foreign_data
@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("policy", ["keep", "update", "replace"])
def test_what_is_no_cart_is_never_overwritten(engine: Engine, what: str, policy: Any) -> None:
    """Not by any policy: a newer version may be able to read it."""
    with engine.connected() as client:
        FOREIGN[what](client)
        before = client.dump(KEYS.cart("c"))

        report = import_lines(engine.url, [line()], policy=policy)

        assert report.problems.counts == {"corrupt_cart": 1}
        assert client.dump(KEYS.cart("c")) == before
        client.flushall()


def test_an_engine_that_forgets_scripts(engine: Engine) -> None:
    """It is sent the script again."""
    with engine.connected() as client:
        client.script_flush()
        import_lines(engine.url, [line()])
        client.script_flush()

    assert import_lines(engine.url, [line(cart_id="d")]).written == 1


def test_a_full_memory_stops_it_cleanly(
    own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cart is imported whole or not at all; the report says how far it came."""
    own = own_engine
    monkeypatch.setattr("ecart_server.transfer.writer.RETRY_SECONDS", 0.2)
    with own.connected() as client:
        client.config_set("maxmemory", "1")

        with pytest.raises(StoreUnavailableError, match="maxmemory"):
            import_lines(own.url, [line()])

        client.config_set("maxmemory", "0")
        assert client.dbsize() == 0
    assert import_lines(own.url, [line()]).written == 1


def test_carts_that_change_meanwhile(engine: Engine, store: RedisStore) -> None:
    """An export is of moments: each line is a cart that was, and can be imported."""
    fill(engine.url, 40)
    cart = Cart("busy", store)
    cart.add("apple")
    lines: list[str] = []

    def write_and_change(text: str) -> None:
        lines.append(text)
        cart.add("apple")

    export_carts(engine.url, KEYS, write_and_change)
    with engine.connected() as client:
        client.flushall()

    assert import_lines(engine.url, lines).written == len(lines)


def test_imported_carts_are_in_the_index(engine: Engine) -> None:
    """Those that live, by their last activity, without a sweep."""
    fill(engine.url, 60)
    lines = export_lines(engine.url)
    with engine.connected() as client:
        client.flushall()

    import_lines(engine.url, lines)

    with opened_nodes(engine.url) as nodes:
        listed = list_carts(nodes, KEYS, limit=1000, with_empty=True).carts
    carts = [json.loads(text) for text in lines]
    live = {one["cart_id"]: one for one in carts if one["state"] not in ("gone", "merged")}
    assert {one.cart_id for one in listed} == set(live)
    with engine.connected() as client:
        for cart_id in live:
            index, member = place_in_index(KEYS.cart(cart_id))
            assert client.zscore(index, member) == live[cart_id]["updated_ms"]
