"""Carts by their last activity: a page at a time, none missing, none twice, none that has ended."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from ecart import Cart, RedisStore
from ecart.stores.redis.index import note
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index import InvalidCursorError, find_cart, list_carts, listing
from ecart_server.redis_admin.connections import Node

KEYS = Keyspace(partitions=16)
HOUR = 3_600_000


def fill(client: Any, count: int) -> list[str]:
    """Carts with one line each, one after the other."""
    store = RedisStore(client, partitions=16)
    for n in range(count):
        Cart(f"c-{n}", store).add("apple", n + 1, unit_price="1.5")
    return [f"c-{n}" for n in range(count)]


def age(client: Any, cart_id: str, milliseconds: int) -> None:
    """Makes the cart's last change so long ago: of itself and of its entry."""
    key = KEYS.cart(cart_id)
    version, digest, updated, *rest = client.hget(key, "v").split(b"|")
    then = int(updated) - milliseconds
    client.hset(key, "v", b"|".join([version, digest, b"%d" % then, *rest]))
    client.pexpireat(key, then + 604_800_000)
    client.zrem(KEYS.index(KEYS.partition(cart_id)), cart_id)
    for command in note(key, then):
        client.execute_command(*command)


def ids_of(page: Any) -> list[str]:
    return [cart.cart_id for cart in page.carts]


def walked(nodes: list[Node], **options: Any) -> list[str]:
    """All pages, one after the other."""
    found, after = [], None
    while True:
        page = list_carts(nodes, KEYS, after=after, **options)
        found += ids_of(page)
        if page.after is None:
            return found
        after = page.after


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_pages_are_all_carts_in_order(client: Any, nodes: list[Node], limit: int) -> None:
    """The one that has been idle for longest first; or the other way round."""
    count = 40 if limit == 1 else 150
    ids = fill(client, count)
    for n, cart_id in enumerate(ids):
        age(client, cart_id, (count - n) * 1000)

    assert walked(nodes, limit=limit) == ids
    assert walked(nodes, limit=limit, newest_first=True) == ids[::-1]


def test_carts_of_one_moment_are_on_one_page_each(client: Any, nodes: list[Node]) -> None:
    """More of the same time in a partition than are asked for at once."""
    now = int(time.time() * 1000)
    ids = fill(client, 600)
    for cart_id in ids:
        client.zadd(KEYS.index(KEYS.partition(cart_id)), {cart_id: now + HOUR})

    for newest_first in (False, True):
        found = walked(nodes, limit=50, newest_first=newest_first)

        assert sorted(found) == sorted(ids)


def test_only_what_is_idle_for_so_long(client: Any, nodes: list[Node]) -> None:
    """The time of the cart counts, not that of an entry that is behind it."""
    fill(client, 4)
    age(client, "c-1", 2 * HOUR)
    age(client, "c-2", 3 * HOUR)
    behind = KEYS.index(KEYS.partition("c-3"))
    client.zadd(behind, {"c-3": 1})

    page = list_carts(nodes, KEYS, until_ms=int(time.time() * 1000) - HOUR)

    assert (ids_of(page), page.after) == (["c-2", "c-1"], None)
    assert client.zscore(behind, "c-3") > 1, "the entry was repaired"


def test_dead_entries_are_not_listed_and_are_removed(client: Any, nodes: list[Node]) -> None:
    """Expired, destroyed, merged, purged elsewhere, of another kind: the index is repaired."""
    fill(client, 6)
    store = RedisStore(client, partitions=16)
    client.delete(KEYS.cart("c-0"))
    Cart("c-1", store).destroy()
    Cart("c-3", store).merge_from("c-2")
    client.delete(KEYS.cart("c-4"))
    client.set(KEYS.cart("c-4"), "of somebody else")

    found = walked(nodes)

    assert sorted(found) == ["c-3", "c-5"]
    left = {m for n in range(16) for m in client.zrange(KEYS.index(n), 0, -1)}
    assert left == {b"c-3", b"c-4", b"c-5"}, "damage is for the doctor to report"
    client.delete(KEYS.cart("c-4"))


def test_empty_carts_only_if_they_are_wanted(client: Any, nodes: list[Node]) -> None:
    """Nothing was abandoned in them."""
    fill(client, 2)
    Cart("c-0", RedisStore(client, partitions=16)).clear()

    assert walked(nodes) == ["c-1"]
    assert sorted(walked(nodes, with_empty=True)) == ["c-0", "c-1"]


def test_what_is_untouched_is_on_one_page_whatever_others_do(
    client: Any, nodes: list[Node]
) -> None:
    """Between two pages carts are touched, made and ended."""
    store, chance = RedisStore(client, partitions=16, index=True), random.Random(7)
    ids = fill(client, 300)
    for n, cart_id in enumerate(ids):
        age(client, cart_id, (300 - n) * 1000)
    still = set(ids[::2])
    others, found, after = ids[1::2], [], None
    until = int(time.time() * 1000)

    while True:
        page = list_carts(nodes, KEYS, limit=20, until_ms=until, after=after)
        found += ids_of(page)
        after = page.after
        if after is None:
            break
        for cart_id in chance.sample(others, 10):
            if chance.random() < 0.5:
                Cart(cart_id, store).destroy()
            elif Cart(cart_id, store).get().exists:
                age(client, cart_id, 1)

    assert [cart_id for cart_id in found if cart_id in still] == ids[::2]


def test_an_entry_behind_its_cart_is_not_listed_twice(client: Any, nodes: list[Node]) -> None:
    """Changes within a minute of the indexed one do not move the cart between pages."""
    ids = fill(client, 30)
    for cart_id in ids:
        index = KEYS.index(KEYS.partition(cart_id))
        client.zincrby(index, -30_000, cart_id)

    assert sorted(walked(nodes, limit=4)) == sorted(ids)


def test_many_dead_entries_make_a_short_page(
    client: Any, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not a late one; the next pages go on, and nothing that lives is left out."""
    monkeypatch.setattr(listing, "_MAX_EXAMINED", 20)
    fill(client, 5)
    for n in range(100):
        client.zadd(KEYS.index(n % 16), {f"dead-{n}": 1000 + n})

    page = list_carts(nodes, KEYS, limit=5)

    assert page.carts == ()
    assert page.after is not None
    assert sorted(walked(nodes, limit=5)) == [f"c-{n}" for n in range(5)]


def test_an_entry_that_was_written_again_is_not_removed(client: Any, nodes: list[Node]) -> None:
    """Between reading the cart and removing the entry."""
    from ecart_server.cart_index.index_reader import EntryState, IndexEntry, repair_index

    fill(client, 1)
    key = KEYS.cart("c-0")

    assert repair_index(nodes[0], [EntryState(IndexEntry(key, 12345))]) == 0
    assert client.zcard(KEYS.index(KEYS.partition("c-0"))) == 1


@pytest.mark.parametrize("cursor", ["", "x", "1", "~", "-1~a:cart:b", "9" * 20 + "~a:cart:b", "é"])
def test_a_cursor_of_ones_own_is_refused(nodes: list[Node], cursor: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(InvalidCursorError, match="continues from the cursor"):
        list_carts(nodes, KEYS, after=cursor)


def test_one_is_found_by_its_id(client: Any, nodes: list[Node]) -> None:
    """Without the index."""
    fill(client, 1)
    for n in range(16):
        client.delete(KEYS.index(n))

    found = find_cart(nodes, KEYS, "c-0")

    assert found is not None
    assert (found.total_quantity, found.state) == (1, "open")
    assert find_cart(nodes, KEYS, "c-1") is None
