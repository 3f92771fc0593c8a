"""A change that was made as a visitor and is repeated as a user is applied once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from clients import INTEGRATIONS
from ecart import Cart, RedisStore
from ecart.errors import IdempotencyKeyReusedError
from ecart.operations import short_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper
    from ecart.store import Store
    from engines import Engine

each_integration = pytest.mark.parametrize("shop_class", INTEGRATIONS, indirect=True)

NUMBERED = "~AAAAAAAAAAA.0.7"


def add(shopper: Shopper, key: str, sku: str = "apple") -> Answer:
    return shopper.post("/cart/items", json={"sku": sku}, headers={"idempotency-key": key})


@each_integration
@pytest.mark.parametrize("key", ["k1", NUMBERED])
def test_a_key_of_the_visitor_is_known_in_the_users_cart(shopper: Shopper, key: str) -> None:
    """The reply was lost, the shopper logged in, and the page repeats the change."""
    add(shopper, key)
    assert shopper.post("/login", json={"user": 42}).status // 100 == 2

    again = add(shopper, key)

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json["cart_id"] == "user.42"
    assert again.json["total_quantity"] == 1
    assert shopper.get(f"/cart/operations/{key}").status == 200
    assert add(shopper, key, sku="pear").code == "idempotency_key_reused"


def test_a_record_of_before_names_its_cart(make_shop: Callable[..., Shop], engine: Engine) -> None:
    """Within a day after the upgrade a repeat is compared with a digest that has the cart's id."""
    shopper = make_shop().shopper()
    cart_id = add(shopper, "k1").json["cart_id"]
    former = short_digest("\x1f".join(("POST", "/cart/items", cart_id, '{"sku": "apple"}')))
    with engine.connected() as client:
        (key,) = client.keys(f"*:cart:{cart_id}")
        ((field, text),) = [(f, t) for f, t in client.hgetall(key).items() if f[:1] == b"#"]
        number, _, at = text.split(b"|")
        client.hset(key, field, b"|".join((number, former.encode(), at)))

    assert add(shopper, "k1").headers["idempotency-replayed"] == "true"
    assert add(shopper, "k1", sku="pear").code == "idempotency_key_reused"


@pytest.mark.parametrize("policy", ["sum", "max", "keep_target", "replace"])
def test_an_operation_id_of_the_source_is_known_in_the_target(store: Store, policy: Any) -> None:
    source, target = Cart("source", store), Cart("target", store)
    source.add("apple", operation_id="k1")
    source.add("apple", operation_id=NUMBERED)
    target.add("pear", operation_id="k2")
    target.merge_from("source", policy=policy)

    again = target.add("apple", operation_id="k1")
    numbered = target.add("apple", operation_id=NUMBERED)

    assert again.replayed
    assert numbered.replayed
    assert target.resolve("k1") is not None
    assert {line.sku: line.quantity for line in target.get()} == {"pear": 1, "apple": 2}
    with pytest.raises(IdempotencyKeyReusedError):
        target.add("tea", operation_id="k1")
    assert target.add("pear", operation_id="k2").replayed


def test_what_the_target_knows_itself_stays(store: Store) -> None:
    """The same id, used for another change in each: the target's own is the one that counts."""
    source, target = Cart("source", store), Cart("target", store)
    source.add("apple", operation_id="k1")
    target.add("pear", operation_id="k1")
    target.merge_from("source")

    assert target.add("pear", operation_id="k1").replayed


def test_records_are_taken_within_the_cap(store: Store) -> None:
    """The merge succeeds; the youngest are taken, and what adds to a full cart is refused."""
    source, target = Cart("source", store), Cart("target", store)
    for number in range(600):
        source.add("apple", operation_id=f"s{number}")
        target.add("apple", operation_id=f"t{number}")

    target.merge_from("source")

    assert target.summary().total_quantity == 1200
    known = [target.resolve(f"s{number}") is not None for number in range(600)]
    assert 395 <= sum(known) <= 400
    assert target.add("apple", operation_id="t0").replayed
    assert not target.remove("apple", operation_id="one more").replayed


def test_records_are_counted(engine: Engine) -> None:
    """The header of the target says how many it has: what is swept later is counted by it."""
    with contextlib.closing(RedisStore(engine.url)) as store:
        source, target = Cart("source", store), Cart("target", store)
        for number in range(3):
            source.add("apple", operation_id=f"s{number}")
        target.add("pear", operation_id="t")
        target.merge_from("source")
        with engine.connected() as client:
            fields = client.hgetall(store.keys.cart("target"))
    lanes, keys, _ = fields[b"v"].split(b"|")[3:]
    assert int(keys) == sum(name[:1] in (b"#", b"&") for name in fields) == 5
    assert int(lanes) == sum(name[:1] == b"~" for name in fields)
