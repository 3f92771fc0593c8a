"""What type checkers see: never run, only checked."""

from decimal import Decimal
from typing import assert_type

import redis
import redis.asyncio

from ecart import (
    AsyncCart,
    AsyncMemoryStore,
    AsyncRedisStore,
    Cart,
    CartChange,
    CartSnapshot,
    CartSummary,
    LineItem,
    MemoryStore,
    RedisStore,
    Rules,
)
from ecart.ecart import Cart as OldCart
from ecart.model import Checkout, MergeReport, Totals
from ecart.operations import AddItem, GetCart, GetLine, GetSummary, GetTtl
from ecart.store import AsyncStore, Store


def sync_carts(client: "redis.Redis", cluster: "redis.RedisCluster") -> None:
    Cart("c", client)
    Cart("c", cluster)
    Cart(7, "redis://localhost")
    Cart("c", RedisStore("unix:///tmp/s", prefix="shop"))
    cart = Cart("c", MemoryStore(), rules=Rules(max_lines=5))
    assert_type(cart.cart_id, str)
    assert_type(cart.store, Store)
    assert_type(cart.get(), CartSnapshot)
    assert_type(cart.summary(), CartSummary)
    assert_type(cart.line("a"), LineItem | None)
    assert_type(cart.contains("a", options={"size": "M", "gift": True}), bool)
    assert_type(cart.ttl(), int | None)
    assert_type(cart.add("a"), CartChange)
    assert_type(cart.add("a", 2, unit_price=1.5, details={"k": [1]}, operation_id="x"), CartChange)
    assert_type(cart.add("a", unit_price=Decimal(1), expected_version="e.1.d"), CartChange)
    assert_type(cart.set_quantity("a", 2, expected_version=1), CartChange)
    assert_type(cart.remove("a"), CartChange)
    assert_type(cart.clear(), CartChange)
    assert_type(cart.set_ttl(None), CartChange)
    assert_type(cart.destroy(), CartChange)
    assert_type(cart.purge(), CartChange)
    assert_type(cart.merge_from("d", "max"), MergeReport)
    assert_type(cart.copy_to(7), CartChange | None)
    assert_type(cart.begin_checkout("e.1.d", hold=60, keep_additions=True), Checkout)
    assert_type(cart.complete_checkout("c", "o"), CartChange)
    assert_type(cart.release_checkout("c"), CartChange)


async def async_carts(client: "redis.asyncio.Redis") -> None:
    AsyncCart("c", client)
    AsyncCart("c", AsyncRedisStore("redis://localhost"))
    cart = AsyncCart("c", AsyncMemoryStore(MemoryStore()))
    assert_type(cart.store, AsyncStore)
    assert_type(await cart.get(), CartSnapshot)
    assert_type(await cart.line("a"), LineItem | None)
    assert_type(await cart.add("a", unit_price="1.50"), CartChange)
    assert_type(await cart.ttl(), int | None)
    assert_type(await cart.merge_from("d"), MergeReport)
    assert_type(await cart.begin_checkout(), Checkout)


def values(snapshot: CartSnapshot, change: CartChange) -> None:
    assert_type(snapshot.subtotal, Decimal)
    assert_type(snapshot.lines, tuple[LineItem, ...])
    assert_type(snapshot.line("a"), LineItem)
    assert_type(len(snapshot), int)
    assert_type(list(snapshot), list[LineItem])
    assert_type("a" in snapshot, bool)
    assert_type(snapshot.lines[0].subtotal, Decimal | None)
    assert_type(snapshot.etag, str)
    assert_type(snapshot.totals(), Totals)
    assert_type(change.line, LineItem | None)
    assert_type(change.summary, CartSummary)
    assert_type(change.version, int)


def operations(cart: Cart, store: MemoryStore) -> None:
    assert_type(cart.perform(GetCart()), CartSnapshot)
    assert_type(cart.perform(GetTtl()), int)
    assert_type(store.execute("c", GetLine(line_id="a")), LineItem | None)
    assert_type(store.execute("c", GetSummary()), CartSummary)
    assert_type(store.execute("c", AddItem(sku="a")), CartChange)


def e_cart(client: "redis.Redis") -> None:
    cart = OldCart("user-1", client)
    assert_type(cart.add("p1", 10.1, 3, color="red"), bool)
    assert_type(cart.total_cost(), Decimal)
    assert_type(cart.copy("user-2"), OldCart)
    assert_type(cart.get_ttl(), int)


def mistakes(cart: Cart) -> None:
    """Each of these is an error that a checker must find."""
    cart.add(5)  # type: ignore[arg-type]
    cart.add("a", "0.50")  # type: ignore[arg-type]
    cart.add("a", 1.5)  # type: ignore[arg-type]
    cart.add("a", 1, "0.50")  # type: ignore[call-arg]
    cart.add("a", unit_price=b"1")  # type: ignore[arg-type]
    cart.add("a", options={"size": 1.5})  # type: ignore[dict-item]
    cart.merge_from("d", "most")  # type: ignore[arg-type]
    cart.begin_checkout(hold=None)  # type: ignore[arg-type]
    cart.set_ttl("60")  # type: ignore[arg-type]
    cart.clear(1)  # type: ignore[call-arg]
    cart.get().subtotal = Decimal(1)  # type: ignore[misc]
    Cart("c", AsyncMemoryStore())  # type: ignore[arg-type]
    AsyncCart("c", MemoryStore())  # type: ignore[arg-type]
    Cart(1.5, MemoryStore())  # type: ignore[arg-type]
