"""`apply()` and the scripts agree: the same operations, the same results, refusals included.

Sequences of operations are drawn and done to a `MemoryStore`, which runs the specification, and
to each engine. Random texts (epoch, digest) and times are left out of the comparison, but not
whether they changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from ecart import CartSnapshot, LineItem, MemoryStore, RedisStore, Rules, line_id_for
from ecart.errors import EcartError
from ecart.model import CartChange, Merge
from ecart.operations import (
    AddItem,
    BeginCheckout,
    BeginMerge,
    Change,
    Clear,
    CompleteCheckout,
    Destroy,
    EndMerge,
    GetCart,
    GetLine,
    GetSummary,
    GetTtl,
    MergeLines,
    Operation,
    Prolong,
    Purge,
    PutLines,
    ReleaseCheckout,
    RemoveLine,
    SetQuantity,
    SetTtl,
)
from faults.soak import IS_SOAK, SEED

if TYPE_CHECKING:
    from engines import Engine

RULES = [
    Rules(max_quantity=5, max_lines=3),
    Rules(max_quantity=1_000_000, max_lines=4, currency="EUR", ttl_ms=100_000),
    Rules(ttl_ms=0, max_quantity=1_000_000),
]
SKUS = ["a", "b", "c|d", "%7C", f"a:{'a' * 16}"]
OPTIONS: list[dict[str, Any]] = [{}, {}, {"size": "M|"}, {"size": None}]
PRICES = ["0", "0.1", "19.99", "0.000000001", "123456.789012345", "999999999999999.999999999"]
TITLES = [None, None, "", "A|B", "100%", "%7C", "None"]
DETAILS: list[Any] = [None, None, {}, {"k|": ["%", 1.5, None]}]

rules = st.sampled_from(RULES)
prices = st.none() | st.sampled_from(PRICES).map(Decimal)
quantities = st.sampled_from([1, 1, 2, 3, 5, 9, 9_007_199 // 10, 1_000_000])
line_ids = st.builds(line_id_for, st.sampled_from(SKUS), st.sampled_from(OPTIONS))


@st.composite
def lines(draw: st.DrawFn) -> LineItem:
    options = draw(st.sampled_from(OPTIONS))
    return LineItem(
        line_id=line_id_for(draw(st.sampled_from(SKUS)), options),
        quantity=draw(quantities),
        unit_price=draw(prices),
        title=draw(st.sampled_from(TITLES)),
        options=options,
        details=draw(st.sampled_from(DETAILS)),
    )


checkout_ids = st.sampled_from(["c1", "c2"])
merge_ids = st.sampled_from(["m1", "m2", "m3"])
policies: st.SearchStrategy[Any] = st.sampled_from(["sum", "max", "keep_target", "replace"])

ARGUMENTS: dict[type[Operation[Any]], dict[str, st.SearchStrategy[Any]]] = {
    AddItem: {
        "sku": st.sampled_from(SKUS),
        "options": st.sampled_from(OPTIONS),
        "quantity": quantities,
        "unit_price": prices,
        "currency": st.sampled_from(["", "USD", "EUR"]),
        "title": st.sampled_from(TITLES),
        "details": st.sampled_from(DETAILS),
    },
    SetQuantity: {"line_id": line_ids, "quantity": st.just(0) | quantities},
    RemoveLine: {"line_id": line_ids},
    PutLines: {
        "lines": st.lists(lines(), max_size=4, unique_by=lambda line: line.line_id).map(tuple),
        "currency": st.sampled_from(["USD", "EUR"]),
    },
    BeginCheckout: {
        "checkout_id": checkout_ids,
        "keeps_additions": st.booleans(),
        "hold_ms": st.sampled_from([60_000, 900_000]),
    },
    CompleteCheckout: {"checkout_id": checkout_ids, "order_id": st.sampled_from(["o", "p"])},
    ReleaseCheckout: {"checkout_id": checkout_ids},
    BeginMerge: {"merge": st.builds(Merge, merge_ids, policies, st.sampled_from(["t", "t|%"]))},
    MergeLines: {
        "merge_id": merge_ids,
        "epoch": st.sampled_from(["now", "now", "now", "before", ""]),
        "policy": policies,
        "lines": st.lists(lines(), max_size=4, unique_by=lambda line: line.line_id).map(tuple),
        "currency": st.sampled_from(["USD", "EUR"]),
    },
    EndMerge: {"merge_id": merge_ids, "is_merged": st.booleans()},
    Clear: {},
    Destroy: {},
    SetTtl: {"ttl_ms": st.sampled_from([0, 50_000, 604_800_000])},
    Prolong: {"early_ms": st.sampled_from([0, 50_000, 100_000, 604_800_000])},
    Purge: {"epoch": st.sampled_from(["", "now", "now", "before"])},
    GetCart: {},
    GetSummary: {},
    GetTtl: {},
    GetLine: {"line_id": line_ids},
}
OFTEN = [AddItem, AddItem, AddItem, AddItem, SetQuantity, SetQuantity, RemoveLine, PutLines]

# What a caller may expect, as seen from the states the cart has been in: now, and at the start.
EXPECTATIONS: dict[str, Any] = {
    "nothing": lambda seen: (),
    "version": lambda seen: (seen[-1].version,),
    "etag": lambda seen: (seen[-1].etag,),
    "either": lambda seen: ("x", seen[-1].etag, 99),
    "old version": lambda seen: (seen[0].version,),
    "old etag": lambda seen: (seen[0].etag, seen[len(seen) // 2].etag),
    "text": lambda seen: (str(seen[-1].version),),
    "absent": lambda seen: (0,),
}


def _parts(value: object) -> object:
    """What a result of several parts consists of."""
    if isinstance(value, CartChange):
        return {name: getattr(value, name) for name in CartChange.__match_args__}
    return repr(value)


class Step(msgspec.Struct, frozen=True):
    """An operation to be, with what depends on the store's own random texts left open."""

    kind: type[Operation[Any]]
    arguments: dict[str, Any]
    expect: str = "nothing"

    def operation(self, seen: list[CartSnapshot]) -> Operation[Any]:
        arguments = dict(self.arguments)
        if self.kind in (Purge, MergeLines) and arguments["epoch"]:
            arguments["epoch"] = seen[-1 if arguments["epoch"] == "now" else 0].epoch
        if issubclass(self.kind, Change):
            arguments["expected"] = EXPECTATIONS[self.expect](seen)
        return self.kind(**arguments)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    kind = draw(st.sampled_from([*OFTEN, *ARGUMENTS]))
    arguments = {name: draw(values) for name, values in ARGUMENTS[kind].items()}
    arguments["rules"] = draw(rules)
    if not issubclass(kind, Change):
        return Step(kind, arguments)
    arguments["want_cart"] = draw(st.booleans())
    # A purge's fingerprint is of an epoch, which is another in each store.
    ids = [None, None, None, "x", "y", "z"] if kind is not Purge else [None]
    arguments["operation_id"] = draw(st.sampled_from(ids))
    return Step(kind, arguments, draw(st.sampled_from(["nothing"] * 6 + list(EXPECTATIONS))))


class Told:
    """What a store tells of one cart, with random texts numbered in the order of appearance."""

    def __init__(self, store: MemoryStore | RedisStore, cart_id: str) -> None:
        self.store = store
        self.cart_id = cart_id
        self.seen = [store.execute(cart_id, GetCart())]
        self._numbers: dict[str, int] = {"": 0}

    def do(self, step: Step) -> object:
        """The result of a step, then the whole cart."""
        try:
            result = self.store.execute(self.cart_id, step.operation(self.seen))
        except EcartError as error:
            result = {"refused": error.code, "class": type(error).__name__, **vars(error)}
        snapshot = self.store.execute(self.cart_id, GetCart())
        self.seen.append(snapshot)
        if step.kind is GetTtl and isinstance(result, int) and result > 0:
            result = round(result / 10_000)
        return self._comparable([result, snapshot])

    def _comparable(self, value: Any) -> Any:
        plain = msgspec.to_builtins(value, enc_hook=_parts, builtin_types=(Decimal,))
        return self._without_chance(plain)

    def _without_chance(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._without_chance(item) for item in value]
        if not isinstance(value, dict):
            return value
        # A digest is only ever looked at together with its epoch.
        chance = {
            "epoch": value.get("epoch", ""),
            "digest": f"{value.get('epoch')}{value.get('digest')}",
        }
        return {
            name: self._number(chance[name]) if name in chance else self._without_chance(item)
            for name, item in value.items()
            if name not in ("created_ms", "updated_ms", "deadline_ms", "cart_id")
        }

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))


@pytest.fixture
def redis_store(any_engine: Engine) -> Iterator[RedisStore]:
    store = RedisStore(any_engine.url)
    yield store
    store.close()


_examples = count()
seeded = seed(SEED) if IS_SOAK else lambda test: test


@seeded
@settings(max_examples=max(200, settings.default.max_examples))
@given(st.lists(steps(), min_size=1, max_size=25))
def test_scripts_do_what_apply_says(redis_store: RedisStore, sequence: list[Step]) -> None:
    """Any sequence of operations gives the same results, refusals and cart, step by step."""
    agree(redis_store, sequence)


def agree(redis_store: RedisStore, sequence: list[Step]) -> None:
    """Does the steps to a new cart in both stores and compares what they tell."""
    cart_id = f"cart-{next(_examples)}"
    memory, engine = Told(MemoryStore(), cart_id), Told(redis_store, cart_id)

    for step in sequence:
        assert engine.do(step) == memory.do(step), step
