"""Carts that an earlier version stored: read as they were, repeats recognised, changes go on."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore
from ecart.errors import CartLockedError, CartMergedError, IdempotencyKeyReusedError
from upgrade.golden import as_json, attributes, golden, plant, records_in, stored

if TYPE_CHECKING:
    from ecart import CartSnapshot
    from engines import Engine
    from upgrade.golden import Golden

LATE = "locked, too late"
KEEPS_ADDITIONS = "locked, additions kept"
REFUSED = "visitor refused"
MERGES = {
    "visitor sum": ("user sum", {"apple": 5, "tea": 1}),
    "visitor max": ("user max", {"apple": 3, "tea": 1}),
    "visitor keep_target": ("user keep_target", {"apple": 3, "tea": 1}),
    "visitor replace": ("user replace", {"apple": 2, "tea": 1}),
    "visitor taken": ("user taken/100%", {"apple": 5}),
}
"""Merges that had begun: the source, the target, and what is in the target at the end."""

each_merge = pytest.mark.parametrize(("source", "target", "units"), [
    (source, target, units) for source, (target, units) in MERGES.items()
], ids=MERGES)  # fmt: skip


def units_in(cart: CartSnapshot) -> dict[str, int]:
    return {line.line_id: line.quantity for line in cart.lines}


def test_the_carts_are_of_every_kind() -> None:
    """Every state, every kind of field and record: what the other tests rely on."""
    carts = golden().carts

    assert {cart.state for cart in carts} == {"open", "locked", "merging", "merged", "gone"}
    assert {name[0] for cart in carts for name in cart.hash} == set("vcms:!~#&")
    assert {cart.snapshot["currency"] for cart in carts} == {"USD", "JPY", "KWD", "EUR"}
    assert {cart.snapshot["ttl_ms"] for cart in carts} >= {0, 3_600_000, 86_400_000, 604_800_000}
    assert max(cart.snapshot["version"] for cart in carts) > 2**52
    assert max(cart.snapshot["last_position"] for cart in carts) == 330
    assert golden().cart("amounts").snapshot["subtotal"] == "9007199254740990.999999992"


def test_each_cart_reads_as_before(before: Golden, handle: Any) -> None:
    """Every attribute of the snapshot and of its lines, the ETag, the summary; nothing written."""
    for cart in before.carts:
        snapshot = handle(cart).get()
        summary = handle(cart).summary()

        assert as_json(attributes(snapshot, cart.snapshot)) == as_json(cart.snapshot)
        assert snapshot.etag == summary.etag == cart.etag
        names = {name: None for name in cart.read if name not in ("lines", "ordered")}
        assert as_json(attributes(summary, names)) == as_json({n: cart.read[n] for n in names})


def test_reading_writes_nothing(before: Golden, client: Any, handle: Any) -> None:
    """The hashes are as they were, in every field."""
    for cart in before.carts:
        handle(cart).get()
        handle(cart).ttl()

    for cart in before.carts:
        assert stored(client, cart) == cart.hash


def test_single_lines_are_found(before: Golden, handle: Any) -> None:
    """By their ids, however odd the SKU."""
    for cart in before.carts:
        if cart.state not in ("merged", "gone"):
            for line in cart.snapshot["lines"]:
                found = handle(cart).line(line["line_id"])
                assert as_json(attributes(found, line)) == as_json(line)


def test_every_engine_reads_and_changes_them(any_engine: Engine) -> None:
    """What one engine stored, another serves."""
    before = golden()
    with any_engine.connected() as client, closing(RedisStore(any_engine.url)) as store:
        plant(client, before.carts)
        for cart in before.carts:
            handle = Cart(cart.cart_id, store, rules=cart.rules)
            assert as_json(attributes(handle.get(), cart.snapshot)) == as_json(cart.snapshot)
            if cart.state == "open":
                assert handle.add(sku="new").version == cart.snapshot["version"] + 1


# Records.


def test_a_repeat_changes_nothing(before: Golden, client: Any, handle: Any) -> None:
    """Every kind of change, by the caller's operation id or by the one that ecart gave it."""
    assert {repeat.method for repeat in before.repeats} == {
        "add", "set_quantity", "remove", "clear", "set_ttl", "destroy", "begin_checkout",
        "complete_checkout", "release_checkout",
    }  # fmt: skip
    for repeat in before.repeats:
        cart = before.cart(repeat.cart_id)

        again = getattr(handle(cart), repeat.method)(**repeat.arguments)

        assert again.replayed, repeat
        assert stored(client, cart) == cart.hash, repeat


def test_operations_are_resolved(before: Golden, handle: Any) -> None:
    """When a change took effect is known by its operation id, to the second."""
    named = [repeat for repeat in before.repeats if "operation_id" in repeat.arguments]
    for repeat in named:
        cart = before.cart(repeat.cart_id)
        times = {int(value.split("|")[2]) for value in cart.records.values()}

        applied = handle(cart).resolve(repeat.arguments["operation_id"])

        assert applied is not None and applied.timestamp() in times, repeat
    assert len(named) > 40


def test_another_change_of_the_same_name_is_refused(before: Golden, handle: Any) -> None:
    """A record still tells what was done, not only that something was."""
    for repeat in before.repeats:
        if repeat.method == "add":
            other = {**repeat.arguments, "quantity": 5 + repeat.arguments.get("quantity", 1) % 7}
            with pytest.raises(IdempotencyKeyReusedError):
                handle(before.cart(repeat.cart_id)).add(**other)


@pytest.mark.parametrize(("kind", "age"), [("~", 9 * 60), ("#", 23 * 3600), ("&", 8 * 86_400 - 60)])
def test_records_are_kept_for_their_time(kind: str, age: int, client: Any, handle: Any) -> None:
    """Ten minutes, a day and eight days, when the next change removes older ones."""
    carts = golden(age)
    lasting = {
        cart.cart_id: cart
        for cart in carts.carts
        if cart.state == "open" and (cart.expires_ms or 10**15) > 1000 * time.time()
    }
    plant(client, lasting.values())
    known = 0
    for cart in lasting.values():
        handle(cart).add(sku="new")

        of_kind = {name: value for name, value in cart.records.items() if name[0] == kind}
        assert of_kind.items() <= records_in(stored(client, cart)).items(), cart.cart_id
        known += len(of_kind)
    assert known >= {"~": 25, "#": 20, "&": 1}[kind]

    for repeat in carts.repeats:
        name = "~" if repeat.arguments.get("operation_id", "#").startswith("~") else "#"
        if name == kind and repeat.cart_id in lasting:
            again = getattr(handle(lasting[repeat.cart_id]), repeat.method)(**repeat.arguments)
            assert again.replayed, repeat


# Changes.


def test_open_carts_are_added_to(before: Golden, client: Any, handle: Any) -> None:
    """At the version that was shown: one line more, nothing else changed, no record lost."""
    opened = [cart for cart in before.carts if cart.state == "open" or cart.cart_id == LATE]
    assert len(opened) > 40
    for cart in opened:
        then = cart.snapshot

        change = handle(cart).add(
            sku="new", quantity=2, operation_id="after", expected_version=cart.etag
        )

        assert not change.replayed
        new = {
            "line_id": "new", "quantity": 2, "position": then["last_position"] + 1, "title": None,
            "unit_price": None, "options": {}, "details": None,
        }  # fmt: skip
        lines = [*then["lines"], new]
        now = attributes(handle(cart).get(), {**then, "lines": lines})
        expected = {
            **then,
            "version": then["version"] + 1,
            "updated_ms": now["updated_ms"],
            "line_count": then["line_count"] + 1,
            "total_quantity": then["total_quantity"] + 2,
            "last_position": then["last_position"] + 1,
            "state": "open",
            "lock": None,
            "lines": lines,
        }
        assert as_json(now) == as_json(expected)
        assert now["updated_ms"] > then["updated_ms"]
        left = records_in(stored(client, cart))
        assert cart.records.items() <= left.items()
        assert len(left) == len(cart.records) + 1


def test_lines_are_changed_and_removed(before: Golden, handle: Any) -> None:
    """Each line of an open cart, by its id; at the end the cart is empty and costs nothing."""
    for cart in before.carts:
        if cart.state == "open":
            for line in cart.snapshot["lines"]:
                assert handle(cart).set_quantity(line["line_id"], 1).line.quantity == 1
                handle(cart).remove(line["line_id"])
            summary = handle(cart).summary()
            assert (summary.line_count, summary.total_quantity, summary.subtotal) == (0, 0, 0)


def test_lines_are_written_as_before(before: Golden, client: Any, handle: Any) -> None:
    """A copy has the same fields, byte for byte but for the position: older processes read it."""

    def lines_in(fields: dict[str, str]) -> dict[str, tuple[str, str, str]]:
        lines = {name: value.split("|", 3) for name, value in fields.items() if name[0] == ":"}
        return {name: (units, price, rest) for name, (units, price, _, rest) in lines.items()}

    opened = [cart for cart in before.carts if cart.state == "open" and cart.snapshot["lines"]]
    for cart in opened:
        client.delete("ecart:{898}:cart:copy")

        handle(cart).copy_to("copy")

        copied = client.hgetall("ecart:{898}:cart:copy")
        fields = {name.decode(): value.decode() for name, value in copied.items()}
        assert lines_in(fields) == lines_in(cart.hash)


def test_a_locked_cart_is_held(before: Golden, client: Any, handle: Any) -> None:
    """By the check-out that began before the upgrade."""
    cart = before.cart("locked")

    with pytest.raises(CartLockedError):
        handle(cart).add(sku="new")

    assert stored(client, cart) == cart.hash


def test_a_locked_cart_keeps_additions(before: Golden, client: Any, handle: Any) -> None:
    """The units that check-out saw stay known, and are taken out when it completes."""
    cart = before.cart(KEEPS_ADDITIONS)
    with pytest.raises(CartLockedError):
        handle(cart).remove("apple")

    handle(cart).add(sku="new", quantity=4)
    handle(cart).add(sku="note", quantity=3)

    seen = {"!apple": "3", "!shirt:szioivahal2grb6j": "1", "!late": "0", "!new": "0", "!note": "1"}
    assert {n: v for n, v in stored(client, cart).items() if n[0] == "!"} == seen
    handle(cart).complete_checkout(cart.snapshot["lock"]["checkout_id"], "order-7")
    assert units_in(handle(cart).get()) == {
        "apple": 2, "shirt:szioivahal2grb6j": 1, "note": 3, "late": 1, "new": 4,
    }  # fmt: skip


@pytest.mark.parametrize("cart_id", ["locked", LATE])
def test_a_check_out_completes(cart_id: str, before: Golden, handle: Any) -> None:
    """Once, also after its deadline if none came between."""
    cart = before.cart(cart_id)
    checkout_id = cart.snapshot["lock"]["checkout_id"]

    first = handle(cart).complete_checkout(checkout_id, "order-7")
    again = handle(cart).complete_checkout(checkout_id, "order-7")

    assert (first.replayed, again.replayed) == (False, True)
    assert units_in(handle(cart).get()) == {}


@pytest.mark.parametrize("cart_id", ["locked", KEEPS_ADDITIONS, LATE])
def test_a_check_out_is_released(cart_id: str, before: Golden, client: Any, handle: Any) -> None:
    """The cart is open again, with all its lines."""
    cart = before.cart(cart_id)

    handle(cart).release_checkout(cart.snapshot["lock"]["checkout_id"])

    now = handle(cart).get()
    assert (now.state, now.total_quantity) == ("open", cart.snapshot["total_quantity"])
    assert {name[0] for name in stored(client, cart)} == set("vcmb:~#") & {
        *(name[0] for name in cart.hash), "b", "#"
    }  # fmt: skip


# Merges.


@each_merge
def test_a_half_done_merge_is_finished(
    source: str, target: str, units: dict[str, int], before: Golden, client: Any, handle: Any
) -> None:
    """By merging again: once, by the policy that it began with."""
    visitor, user = before.cart(source), before.cart(target)
    assert visitor.state == "merging"

    for _ in range(2):
        handle(user).merge_from(visitor.cart_id, policy="sum")

        assert units_in(handle(user).get()) == units
        assert handle(visitor).get().state == "merged"
    assert visitor.records.items() <= records_in(stored(client, visitor)).items()
    assert user.records.items() <= records_in(stored(client, user)).items()


@each_merge
def test_a_change_of_the_source_finishes_the_merge(
    source: str, target: str, units: dict[str, int], before: Golden, handle: Any
) -> None:
    """Then it is refused, as the cart has been merged."""
    with pytest.raises(CartMergedError) as refusal:
        handle(before.cart(source)).add(sku="new")

    assert refusal.value.target_id == target
    assert units_in(handle(before.cart(target)).get()) == units


def test_a_refused_merge_opens_its_source(before: Golden, handle: Any) -> None:
    """The target's record tells that it was refused: nothing is moved, the source goes on."""
    visitor, user = before.cart(REFUSED), before.cart("user refused")
    assert visitor.state == "merging"

    handle(visitor).add(sku="new")

    assert units_in(handle(visitor).get()) == {"apple": 2, "new": 1}
    assert units_in(handle(user).get()) == {"apple": 3}


def test_what_is_merged_stays_so(before: Golden, handle: Any) -> None:
    """Merging again changes nothing; a change is refused, and names the target."""
    visitor, user = before.cart("visitor merged"), before.cart("user merged")

    with pytest.raises(CartMergedError) as refusal:
        handle(visitor).add(sku="new")
    handle(user).merge_from(visitor.cart_id)

    assert refusal.value.target_id == "user merged"
    assert as_json(attributes(handle(user).get(), user.snapshot)) == as_json(user.snapshot)


def test_a_destroyed_cart_begins_again(before: Golden, client: Any, handle: Any) -> None:
    """Under a new epoch and the next version; the records of the old one are kept."""
    for cart_id in ("gone", "never was"):
        cart = before.cart(cart_id)

        handle(cart).add(sku="new")

        now = handle(cart).get()
        assert (now.version, units_in(now)) == (cart.snapshot["version"] + 1, {"new": 1})
        assert now.epoch != cart.etag.partition(".")[0]
        assert cart.records.items() <= records_in(stored(client, cart)).items()
