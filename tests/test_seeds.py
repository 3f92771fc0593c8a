"""Sequences that once told two stores apart, or came close: always tried."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ecart import LineItem, MemoryStore, RedisStore, RefusedError, Rules
from ecart.errors import InvalidLineIdError
from ecart.operations import AddItem, Change, Destroy, GetCart, GetSummary, PutLines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

BILLIONTH = Decimal("0.000000001")


@pytest.fixture(params=["memory", "engine"])
def store(request: pytest.FixtureRequest, engine: Engine) -> Iterator[MemoryStore | RedisStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    redis_store = RedisStore(engine.url)
    yield redis_store
    redis_store.close()


def put(
    currency: str = "USD", max_lines: int = 10_000, **prices_and_quantities: tuple[str, int]
) -> Change:
    lines = [
        LineItem(name, quantity, Decimal(price))
        for name, (price, quantity) in prices_and_quantities.items()
    ]
    rules = Rules(max_quantity=1_000_000, max_lines=max_lines)
    return PutLines(lines=tuple(lines), currency=currency, rules=rules)


def test_a_sum_may_pass_the_limit_on_its_way(store: MemoryStore | RedisStore) -> None:
    """Two lines change places: the sum of both prices is beyond 2^53, no cart ever holds it."""
    store.execute("c", put(a=("1", 1), b=("999999999999999", 9), c=("1", 1)))

    store.execute("c", put(a=("999999999999999", 9), b=("1", 1)))

    assert store.execute("c", GetSummary()).subtotal == Decimal(8_999_999_999_999_993)


def test_billionths_of_both_signs_meet(store: MemoryStore | RedisStore) -> None:
    """Taking more billionths away than there are borrows from the units."""
    store.execute("c", put(a=("0.999999999", 999_999), b=("0.000000001", 1)))
    store.execute("c", put(a=("0.000000001", 1), b=("0.999999999", 3)))

    assert store.execute("c", GetSummary()).subtotal == 3 - 2 * BILLIONTH


def test_a_cart_of_ten_thousand_lines_is_copied(store: MemoryStore | RedisStore) -> None:
    """The largest cart that rules allow, in one operation, on an engine whose stack is small."""
    names = [f"sku-{number}" for number in range(10_000)]

    store.execute("c", put(**dict.fromkeys(names, ("0.01", 1))))

    summary = store.execute("c", GetSummary())
    assert (summary.line_count, summary.subtotal) == (10_000, Decimal(100))
    assert [line.sku for line in store.execute("c", GetCart()).lines] == names


def test_what_is_gone_has_no_last_position(store: MemoryStore | RedisStore) -> None:
    """Found by the agreement test: one store kept it in the tombstone, the other did not."""
    store.execute("c", AddItem(sku="a"))

    assert store.execute("c", Destroy()).summary.last_position == 0
    assert store.execute("c", GetCart()).last_position == 0


@pytest.mark.parametrize(
    "change, code",
    [
        (put(b=("999999999999999", 9)), "amount_out_of_range"),
        (put(b=("999999999999999", 5), c=("999999999999999", 5)), "amount_out_of_range"),
        (put(b=("1", 1), currency="EUR"), "currency_mismatch"),
        (put(b=("1", 1), c=("1", 1), max_lines=2), "line_limit_exceeded"),
    ],
)
def test_lines_put_together_keep_the_limits(
    store: MemoryStore | RedisStore, change: Change, code: str
) -> None:
    """All of them or none: refused like single ones, and nothing changed."""
    before = store.execute("c", put(a=("999999999999999", 1))).summary

    with pytest.raises(RefusedError) as refused:
        store.execute("c", change)

    assert refused.value.code == code
    assert store.execute("c", GetSummary()) == before


def test_a_line_is_put_once() -> None:
    """Twice in one operation would be counted twice: refused when the operation is made."""
    with pytest.raises(InvalidLineIdError):
        PutLines(lines=(LineItem("a", 1), LineItem("a", 2)), currency="USD")
