"""Stores with carts in every state and under every odd name; and what such a store holds."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from ecart import Cart, RedisStore, Rules, errors
from ecart.flows import Perform
from ecart.model import LineItem, Merge
from ecart.operations import BeginMerge, PutLines
from ecart.stores.redis.keys import Keyspace
from ecart_server.transfer import CartWriter, Importer, ImportReport, Policy, export_carts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ecart_server.transfer import TransferProblem

KEYS = Keyspace()

HOSTILE = [
    "a b", "a\nb", "\x1b[31m", "\x7f", "\x9b2J", "\u202egnp", "0", "{1}", "%2F", "Grüße/7", "日本",
    "👩\u200d👩", "a:cart:b", "\u2028", '"', "\\", "x" * 256, "*", "[a]?", "\ufeff", "\x00",
]  # fmt: skip


def plain(cart: Cart) -> None:
    cart.add("apple", 3, unit_price="0.5", title='An "apple" | 100%7C', operation_id="job-1")
    cart.add("shirt", unit_price="19.90", options={"size": "M", "gift": True, "no": None, "n": 7})
    cart.add("note", details={"text": "\x1b[31m \x7f é \u2028", "deep": [1.5, -0.0, {"a": 10**30}]})
    cart.add("odd:abcdefghijklmnop", unit_price="0.000000001", title="")


def removed_from(cart: Cart) -> None:
    plain(cart)
    cart.remove("apple")
    cart.add("apple", 9, unit_price="999999999999999")


def empty(cart: Cart) -> None:
    cart.add("apple")
    cart.clear()


def pinned(cart: Cart) -> None:
    cart.add("apple", unit_price="1")
    cart.set_ttl(86_400)


def for_ever(cart: Cart) -> None:
    Cart(cart.cart_id, cart.store, ttl=None, currency="JPY").add("apple", unit_price="100")


def locked(cart: Cart) -> None:
    plain(cart)
    cart.begin_checkout()


def locked_and_added_to(cart: Cart) -> None:
    plain(cart)
    cart.begin_checkout(keep_additions=True)
    cart.add("apple", unit_price="0.5")
    cart.add("late", unit_price="2")


def completed(cart: Cart) -> None:
    plain(cart)
    cart.complete_checkout(cart.begin_checkout().checkout_id, "order-1")


def merging(cart: Cart) -> None:
    plain(cart)
    merge = Merge("abcdefghijk", "sum", f"{cart.cart_id}"[:200] + " target")
    step = Perform(cart.cart_id, BeginMerge(merge=merge, rules=Rules()))
    cart.store.execute(step.cart_id, step.operation)


def merged(cart: Cart) -> None:
    plain(cart)
    Cart(cart.cart_id[:200] + " target", cart.store).merge_from(cart.cart_id)


def refused_merge(cart: Cart) -> None:
    source = Cart(cart.cart_id[:200] + " source", cart.store, currency="EUR")
    source.add("apple", unit_price="1")
    cart.add("apple", unit_price="1")
    try:
        cart.merge_from(source.cart_id)
    except errors.CurrencyMismatchError:
        return
    raise AssertionError


def gone(cart: Cart) -> None:
    plain(cart)
    cart.destroy()


def risen(cart: Cart) -> None:
    gone(cart)
    cart.add("apple")


def of_many_lines(cart: Cart) -> None:
    rules = Rules(max_lines=3000)
    source = Cart(cart.cart_id, cart.store, rules=rules)
    lines = tuple(LineItem(f"sku-{n}", 1 + n % 9) for n in range(1100))
    source.store.execute(source.cart_id, PutLines(lines=lines, currency="USD", rules=rules))


KINDS: list[Callable[[Cart], None]] = [
    plain, removed_from, empty, pinned, for_ever, locked, locked_and_added_to, completed, merging,
    merged, refused_merge, gone, risen,
]  # fmt: skip


def fill(url: str, count: int) -> None:
    """So many carts at least, of every kind in turn, the first ones under hostile ids."""
    with closing(RedisStore(url)) as store:
        of_many_lines(Cart("of many lines", store))
        for number in range(count - 1):
            cart_id = HOSTILE[number] if number < len(HOSTILE) else f"user-{number}"
            KINDS[number % len(KINDS)](Cart(cart_id, store))


def export_lines(url: str, *, keys: Keyspace = KEYS) -> list[str]:
    """What `ecart export --sorted` writes; nothing may be left out."""
    lines: list[str] = []
    report = export_carts(url, keys, lines.append, in_order=True)
    assert report.problems.total == 0, report.problems
    assert report.carts == len(lines)
    return lines


def import_lines(
    url: str,
    lines: Iterable[str | bytes],
    *,
    policy: Policy = "keep",
    from_line: int = 1,
    on_problem: Callable[[TransferProblem], None] = lambda problem: None,
) -> ImportReport:
    """The report of an import."""
    texts = (line.encode() if isinstance(line, str) else line for line in lines)
    with closing(CartWriter(url, policy)) as writer:
        return Importer(writer, KEYS, ImportReport(), on_problem).run(texts, from_line=from_line)


def contents(client: Any) -> dict[bytes, tuple[dict[bytes, bytes], int]]:
    """Every cart's hash, and when it expires, in milliseconds since 1970, give or take some."""
    seconds, micros = client.time()
    now_ms = seconds * 1000 + micros // 1000
    found = {}
    for key in client.keys("ecart:{*}:cart:*"):
        pttl = client.pttl(key)
        found[key] = (client.hgetall(key), pttl if pttl < 0 else now_ms + pttl)
    return found
