"""Something else under a cart's key: it is told, left alone, and hurts no other cart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients.examples import BEGIN_CHECKOUT, CHANGES, READS, RELEASE_CHECKOUT
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    from clients import Shopper
    from engines import Engine

pytestmark = pytest.mark.foreign_data

PLANTED: dict[str, tuple[Any, ...]] = {
    "a string": ("SET", "text"),
    "a list": ("RPUSH", "a"),
    "a cart of E-Cart": ("HSET", "p1", '{"unit_cost": 1, "quantity": 2}'),
    "no version": ("HSET", "m", "1|AAAAAAAAAAA|USD|1700000000000|60000", "c", "0|0|0|0|0"),
    "no text": ("HSET", "m", b"\xff\xfe"),
}
REQUESTS = [*READS, *CHANGES, BEGIN_CHECKOUT, RELEASE_CHECKOUT]


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_foreign_data_is_reported_and_left_alone(
    shopper: Shopper, engine: Engine, planted: tuple[Any, ...]
) -> None:
    """500 `corrupt_cart` without a word of what is there; another shopper notices nothing."""
    key = Keyspace().cart(shopper.get("/cart").json["cart_id"])
    with engine.connected() as client:
        client.execute_command(planted[0], key, *planted[1:])
        before = client.dump(key)

        for method, target, options in REQUESTS:
            answer = shopper.request(method, target, **options)

            assert (answer.status, answer.code) == (500, "corrupt_cart"), (method, target)
            assert key.encode() not in answer.body
        assert client.dump(key) == before
    other = shopper.fresh().post("/cart/items", json={"sku": "apple"})
    assert (other.status, other.json["total_quantity"]) == (200, 1)


def test_a_quantity_that_is_none_is_reported(
    shopper: Shopper, engine: Engine, apple: dict[str, Any]
) -> None:
    """In a cart that is sound otherwise."""
    key = Keyspace().cart(apple["cart_id"])
    with engine.connected() as client:
        client.hset(key, ":apple", "abc|0.5|1||")

        assert shopper.get("/cart").code == "corrupt_cart"
        assert shopper.post("/cart/items", json={"sku": "apple"}).code == "corrupt_cart"
        assert client.hget(key, ":apple") == b"abc|0.5|1||"
