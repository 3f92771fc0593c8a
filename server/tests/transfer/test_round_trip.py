"""Exported, imported into an empty engine, exported: the same bytes, and the same carts."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot

from ecart import Cart, RedisStore
from ecart.errors import CartLockedError, CheckoutNotOpenError
from ecart.model import Merge
from ecart.operations import AddItem, BeginMerge, MergeLines
from ecart.stores.redis.deduplication import acquire_lane, release_lane
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.operations import build_call, mark_of
from ecart_server.transfer import CartWriter, Importer, ImportReport, export_carts
from engines import two_primaries
from transfer.filling import HOSTILE, KEYS, KINDS, contents, export_lines, fill, import_lines

if TYPE_CHECKING:
    from engines import Engine, Engines


@pytest.fixture
def target(engines: Engines) -> Engine:
    """An empty engine beside the first, of another kind."""
    return engines.acquire("redis7")


def test_two_thousand_carts_in_every_state(engine: Engine, target: Engine) -> None:
    """Byte for byte; each hash is the same, field by field, and expires at the same moment."""
    fill(engine.url, 2000)

    lines = export_lines(engine.url)
    report = import_lines(target.url, lines)

    assert len(lines) >= 2000
    assert (report.written, report.lines) == (len(lines), len(lines))
    assert export_lines(target.url) == lines
    with engine.connected() as there, target.connected() as here:
        before, after = contents(there), contents(here)
    assert before.keys() == after.keys()
    for key, (fields, expires) in before.items():
        assert after[key][0] == fields
        assert abs(after[key][1] - expires) < 2000
    states = {json.loads(line)["state"] for line in lines}
    assert states == {"open", "locked", "merging", "merged", "gone"}


def test_every_kind_of_engine(any_engine: Engine, engines: Engines) -> None:
    """From and to each: back in a Valkey 9 it is the same still."""
    first = engines.acquire_own("valkey9")
    fill(first.url, len(HOSTILE) + 2 * len(KINDS))
    lines = export_lines(first.url)

    import_lines(any_engine.url, lines)
    with first.connected() as client:
        client.flushall()
    import_lines(first.url, export_lines(any_engine.url))

    assert export_lines(first.url) == lines


def test_an_expiry_of_its_own(engine: Engine, engines: Engines) -> None:
    """When a key expires otherwise than the cart says, that is exported, to the millisecond."""
    target = engines.acquire_own("valkey9")
    with closing(RedisStore(engine.url)) as store, engine.connected() as client:
        Cart("c", store).add("apple")
        at = 1000 * client.time()[0] + 3_600_123
        client.pexpireat(KEYS.cart("c"), at)
        lines = export_lines(engine.url)
        client.flushall()

    import_lines(target.url, lines)

    assert json.loads(lines[0])["expires_ms"] == at
    with target.connected() as client:
        assert client.pexpiretime(KEYS.cart("c")) == at
        client.flushall()


def test_a_line_is_plain_text(engine: Engine) -> None:
    """ASCII without control characters, whatever is in the cart."""
    fill(engine.url, len(HOSTILE) + len(KINDS))

    for line in export_lines(engine.url):
        assert line.endswith("\n")
        assert line.isascii() and line[:-1].isprintable()


def test_sorted_in_several_walks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys are sorted at a time, the order is the same, and nothing is missing."""
    fill(engine.url, 300)
    whole = export_lines(engine.url)

    monkeypatch.setattr("ecart_server.transfer.exporting.MAX_SORTED_KEYS", 37)

    assert export_lines(engine.url) == whole
    partitions = [KEYS.cart(json.loads(line)["cart_id"]) for line in whole]
    numbers = [int(key.partition("{")[2].partition("}")[0]) for key in partitions]
    assert numbers == sorted(numbers)
    unordered: list[str] = []
    export_carts(engine.url, KEYS, unordered.append)
    assert sorted(unordered) == sorted(whole)


def test_other_prefixes_are_left_out(engine: Engine) -> None:
    """An export is of one prefix, and imported under the prefix that is named."""
    with closing(RedisStore(engine.url, prefix="other")) as store:
        Cart("c", store).add("apple")

    assert export_lines(engine.url) == []
    assert len(export_lines(engine.url, keys=Keyspace("other"))) == 1


# The records of changes are exported and imported, too.


def test_a_named_change_is_known_again(engine: Engine, target: Engine) -> None:
    """A repeat of an operation id, after the move, changes nothing."""
    with closing(RedisStore(engine.url)) as there, closing(RedisStore(target.url)) as here:
        Cart("c", there).add("apple", 3, unit_price="1", operation_id="job-1")
        import_lines(target.url, export_lines(engine.url))

        again = Cart("c", here).add("apple", 3, unit_price="1", operation_id="job-1")

        assert again.replayed
        assert Cart("c", here).get().total_quantity == 3


def test_a_change_without_a_name_is_known_again(engine: Engine, target: Engine) -> None:
    """What a lane sent before the move, and sends again after it, counts once."""
    lane = acquire_lane(KEYS.cart("c"))
    call = build_call(KEYS.cart("c"), AddItem(sku="apple", quantity=3), lane)
    with engine.connected() as there, target.connected() as here:
        there.execute_command(*call.by_text)
        import_lines(target.url, export_lines(engine.url))

        reply = here.execute_command(*call.by_text)

        assert mark_of(reply) == b"1"
        assert Cart("c", here).get().total_quantity == 3
    release_lane(lane)


def test_a_merge_is_finished_once(engine: Engine, target: Engine) -> None:
    """One in progress is completed; one that was done is not done again."""
    with closing(RedisStore(engine.url)) as there, closing(RedisStore(target.url)) as here:
        Cart("guest", there).add("apple", 2, unit_price="1")
        Cart("user", there).add("apple", 3, unit_price="1")
        merge = Merge("abcdefghijk", "sum", "user")
        there.execute("guest", BeginMerge(merge=merge))
        guest, user = (Cart(name, there).get() for name in ("guest", "user"))
        there.execute(
            "user",
            MergeLines(
                merge_id=merge.merge_id,
                epoch=user.epoch,
                policy="sum",
                lines=guest.lines,
                currency="USD",
            ),
        )
        import_lines(target.url, export_lines(engine.url))

        Cart("user", here).merge_from("guest")

        assert Cart("user", here).get().total_quantity == 5
        assert not Cart("guest", here).get().exists


def test_a_check_out_is_completed(engine: Engine, target: Engine) -> None:
    """What it saw is taken, what was added since stays; it is held as long as it was."""
    with closing(RedisStore(engine.url)) as there, closing(RedisStore(target.url)) as here:
        cart = Cart("c", there)
        cart.add("apple", 2, unit_price="1")
        begun = cart.begin_checkout(keep_additions=True)
        cart.add("apple", 5, unit_price="1")
        import_lines(target.url, export_lines(engine.url))
        moved = Cart("c", here)

        with pytest.raises(CartLockedError):
            moved.remove("apple")
        moved.complete_checkout(begun.checkout_id, "order-1")

        assert moved.get().total_quantity == 5
        with pytest.raises(CheckoutNotOpenError):
            moved.complete_checkout("another", "order-2")


def test_a_tombstone_keeps_a_late_repeat_out(engine: Engine, target: Engine) -> None:
    """A destroyed cart is not revived by the repeat of what made it."""
    with closing(RedisStore(engine.url)) as there, closing(RedisStore(target.url)) as here:
        Cart("c", there).add("apple", operation_id="job-1")
        Cart("c", there).destroy()
        import_lines(target.url, export_lines(engine.url))

        assert Cart("c", here).add("apple", operation_id="job-1").replayed
        assert not Cart("c", here).get().exists


def test_an_etag_stays_true(engine: Engine, target: Engine) -> None:
    """Epoch, version and digest are imported: what a shopper saw is still what is there."""
    with closing(RedisStore(engine.url)) as there, closing(RedisStore(target.url)) as here:
        Cart("c", there).add("apple")
        seen = Cart("c", there).get()
        import_lines(target.url, export_lines(engine.url))

        assert Cart("c", here).get() == seen
        Cart("c", here).add("pear", expected_version=seen.etag)


def test_clusters(engine: Engine) -> None:
    """Into two primaries that share the slots, and out of them again: the same bytes."""
    fill(engine.url, 200)
    lines = export_lines(engine.url)

    with two_primaries(8000) as nodes:
        report = import_lines(nodes[0].tcp_url, lines)

        assert report.written == len(lines)
        assert export_lines(nodes[1].tcp_url) == lines
        sizes = []
        for node in nodes:
            with node.connected() as client:
                sizes.append(len(contents(client)))
        assert sum(sizes) == len(lines) and min(sizes) > 50


def test_a_slot_that_moves_meanwhile(engine: Engine) -> None:
    """The writer connects again, and writes the cart to the node that owns it now."""
    with closing(RedisStore(engine.url)) as store:
        Cart("c", store).add("apple")
    lines = [line.encode() for line in export_lines(engine.url)]
    slot = key_slot(KEYS.cart("c").encode())

    with (
        two_primaries(slot + 1) as nodes,
        closing(CartWriter(nodes[1].tcp_url, "keep")) as writer,
        nodes[0].connected() as old,
        nodes[1].connected() as new,
    ):
        new_id = new.execute_command("CLUSTER MYID").decode()
        for client in (new, old):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", new_id)

        report = Importer(writer, KEYS, ImportReport()).run(lines)

        assert (report.written, report.problems.total) == (1, 0)
        assert new.exists(KEYS.cart("c"))
