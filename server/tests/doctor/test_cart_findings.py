"""What is wrong with carts is found, reported with its remedy, and nothing else is."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from doctor.planting import KEYS, PLANTS, begin_merge, fill
from ecart import Cart, RedisStore
from ecart_server.doctor import KINDS, Report, examination, examine
from ecart_server.doctor.carts import StoredHash
from ecart_server.doctor.scan import Unread, read_carts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecart_server.redis_admin.connections import Node
    from engines import Engine

OF_CARTS = {
    *("no_expiry", "counters_differ", "unreadable_cart", "unknown_field", "wrong_type", "orphan"),
    *("unknown_name", "stuck_merge", "leftover_marks", "large_cart", "oversize_cart", "old_carts"),
    "moved_meanwhile",
}


@pytest.fixture
def store(any_engine: Engine) -> Iterator[RedisStore]:
    with closing(RedisStore(any_engine.url)) as opened:
        yield opened


def of_carts(report: Report) -> list[str]:
    return [finding.code for finding in report.findings if finding.code in OF_CARTS]


@pytest.mark.foreign_data
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_what_was_planted_is_found(
    any_engine: Engine,
    store: RedisStore,
    plant: tuple[Callable[[Any, RedisStore], object], str, str, str],
) -> None:
    """One finding of this code, with the key and what is wrong there; and nothing is written."""
    do, code, at, detail = plant
    fill(store)
    Cart("sound", store).add("apple", unit_price="1")
    with any_engine.connected() as client:
        do(client, store)
        before = {key: client.dump(key) for key in client.keys("*")}

        report = examine(any_engine.url, KEYS)

        assert {key: client.dump(key) for key in client.keys("*")} == before
    assert of_carts(report) == [code]
    (finding,) = (one for one in report.findings if one.code == code)
    assert (finding.count, finding.severity) == (1, KINDS[code].severity)
    assert finding.remedy == KINDS[code].remedy
    (example,) = finding.examples
    assert example.at == at
    assert detail in example.detail


def test_every_finding_of_carts_is_planted() -> None:
    """But the one that takes a cluster whose slots move."""
    assert {code for _, code, _, _ in PLANTS.values()} == OF_CARTS - {"moved_meanwhile"}


def test_sound_carts_have_no_findings(any_engine: Engine, store: RedisStore) -> None:
    """In every state: open, locked with marks, past its deadline, merged, gone, for ever, new."""
    fill(store)
    held = Cart("held", store)
    held.add("apple", 3, unit_price="0.1", operation_id="x")
    held.begin_checkout(hold=60, keep_additions=True)
    held.add("apple", unit_price="0.1")
    Cart("late", store).add("apple")
    Cart("late", store).begin_checkout(hold=1)
    Cart("guest", store).add(
        "tea", unit_price="4.85", options={"size": "M"}, details={"a": [1]}, title="T|%"
    )
    Cart("target", store).merge_from("guest")
    Cart("gone", store).add("apple")
    Cart("gone", store).destroy()
    Cart("ever", store, ttl=None).add("apple")
    Cart("Grüße/7", store).add("bücher", unit_price="999999999999.999999999")
    Cart("empty", store).add("apple")
    Cart("empty", store).clear()
    time.sleep(1)

    report = examine(any_engine.url, KEYS)

    assert of_carts(report) == []
    assert report.carts.examined == 9
    assert report.carts.complete
    assert report.carts.states == {"gone": 1, "locked": 2, "merged": 1, "open": 5}


@pytest.mark.foreign_data
def test_a_merge_in_progress_is_no_fault(any_engine: Engine, store: RedisStore) -> None:
    """Only after an hour is it called stuck."""
    fill(store)
    with any_engine.connected() as client:
        begin_merge(store, client, minutes=59)

    assert of_carts(examine(any_engine.url, KEYS)) == []


@pytest.mark.foreign_data
def test_the_same_fault_often_is_one_finding(any_engine: Engine, store: RedisStore) -> None:
    """With its count and ten examples, so that the report stays small."""
    with any_engine.connected() as client:
        for number in range(25):
            Cart(number, store).add("apple")
            client.persist(KEYS.cart(str(number)))

    report = examine(any_engine.url, KEYS)

    (finding,) = (one for one in report.findings if one.code == "no_expiry")
    assert (finding.count, len(finding.examples)) == (25, 10)


def test_other_prefixes_are_not_examined(any_engine: Engine) -> None:
    """They are other deployments."""
    with closing(RedisStore(any_engine.url, prefix="ecart-2")) as store:
        Cart("c", store).add("apple")

    report = examine(any_engine.url, KEYS)

    assert (report.carts.examined, of_carts(report)) == (0, [])


def test_a_cart_that_changes_meanwhile(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash read half before and half after a change is read again before it is reported."""

    def between_two_changes(node: Node, keys: list[bytes]) -> Iterator[StoredHash | Unread]:
        for stored in read_carts(node, keys):
            assert isinstance(stored, StoredHash)
            yield replace(stored, pttl=-1)

    monkeypatch.setattr(examination, "read_carts", between_two_changes)
    with closing(RedisStore(engine.url)) as store:
        Cart("c", store).add("apple")

    report = examine(engine.url, KEYS)

    assert (of_carts(report), report.carts.examined) == ([], 1)


@pytest.mark.foreign_data
def test_a_url_that_asks_for_decoded_replies(any_engine: Engine, store: RedisStore) -> None:
    """Keys may be any bytes, so the option is ignored."""
    fill(store)
    with any_engine.connected() as client:
        client.set(b"ecart:\xff", "1")

    report = examine(f"{any_engine.url}?decode_responses=true&db=0", KEYS)

    assert (of_carts(report), report.carts.examined) == (["unknown_name"], 1)
