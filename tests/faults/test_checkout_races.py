"""Check-outs that race with adds, with each other and with time: one order for what was seen."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from ecart import Cart, MemoryStore, RedisStore, Rules, flows
from ecart.errors import (
    CartEmptyError,
    CartLockedError,
    CheckoutNotOpenError,
    LineNotFoundError,
    VersionConflictError,
)
from ecart.operations import (
    AddItem,
    BeginCheckout,
    CompleteCheckout,
    EndCheckout,
    GetSummary,
    ReleaseCheckout,
    SetQuantity,
)
from ecart.store import run
from ecart.stores.redis.keys import Keyspace
from engines import KINDS
from faults.ledger import Entry, Ledger
from faults.soak import TIMEOUT, rounds
from faults.stepping import in_turns, on_the_wire, sending

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from ecart.flows import Flow
    from ecart.model import Checkout
    from ecart.store import Store
    from engines import Engine, Engines

pytestmark = pytest.mark.timeout(TIMEOUT)

RULES = Rules()
BRIEF, LONG = 1, 900
BRIEF_MS = 3
"""A brief hold on an engine: races are over long before a second is."""
SKUS = ("apple", "pear")


@pytest.fixture(params=("memory", *KINDS))
def store(request: pytest.FixtureRequest, engines: Engines) -> Iterator[Store]:
    """Every store; in memory, a quarter of a brief hold passes with each step."""
    if request.param == "memory":
        ticks = count(1_700_000_000_000, 250)
        yield MemoryStore(clock=lambda: next(ticks))
        return
    redis_store = RedisStore(engines.acquire(request.param).url)
    yield redis_store
    redis_store.close()


def steps_with_brief_holds(store: Store) -> Callable[[Any], Any]:
    def do(step: Any) -> Any:
        operation = step.operation
        is_brief = isinstance(operation, BeginCheckout) and operation.hold_ms == BRIEF * 1000
        if is_brief and isinstance(store, RedisStore):
            operation = replace(operation, hold_ms=BRIEF_MS)
        return store.execute(step.cart_id, operation)

    return do


def _let_time_run_out(cart: Cart) -> None:
    """A brief hold is over: by the engine's clock, or by that of the store in memory."""
    time.sleep(2 * BRIEF_MS / 1000)
    for _ in range(4):
        cart.summary()


def _end_the_hold(store: Store, cart_id: str) -> None:
    """Makes it now be after the deadline of a hold, however slow this machine is."""
    if isinstance(store, RedisStore):
        key = store.keys.cart(cart_id)
        state, checkout_id, _, keeps = store.send(key, ("HGET", key, "s")).decode().split("|")
        store.send(key, ("HSET", key, "s", f"{state}|{checkout_id}|1|{keeps}"))
    else:
        _let_time_run_out(Cart(cart_id, store))


class Race:
    """One cart, those who want something of it, and what they were told."""

    def __init__(self, cart_id: str, chance: random.Random, keeps: bool) -> None:
        self.ledger = Ledger()
        self._cart_id = cart_id
        self._chance = chance
        self._keeps = keeps
        self._known: list[str] = []

    def everybody(self) -> list[Flow[None]]:
        """Two who shop, two who order, one who repeats what others have done."""
        shop = [self.shopping(), self.shopping()]
        return [*shop, self.ordering(), self.ordering(), self.meddling()]

    def shopping(self) -> Flow[None]:
        for _ in range(4):
            sku = self._chance.choice(SKUS)
            if self._chance.random() < 0.7:
                yield from self.add(sku, self._chance.randint(1, 3))
            else:
                yield from self.set(sku, self._chance.randint(0, 3))

    def add(self, sku: str, quantity: int) -> Flow[None]:
        try:
            done = yield from self._perform(AddItem(sku=sku, quantity=quantity, rules=RULES))
        except CartLockedError:
            return
        held = done.summary.state == "locked"
        self._note(done, "add", sku=sku, added=quantity, quantity=done.line.quantity, is_held=held)

    def set(self, sku: str, quantity: int) -> Flow[None]:
        try:
            done = yield from self._perform(SetQuantity(line_id=sku, quantity=quantity))
        except (CartLockedError, LineNotFoundError):
            return
        self._note(done, "set", sku=sku, quantity=quantity)

    def ordering(self) -> Flow[None]:
        for _ in range(2):
            brief = self._chance.random() < 0.5
            held = yield from self._begun(brief)
            if held is None:
                continue
            self._known.append(held.checkout_id)
            if brief and self._chance.random() < 0.4:
                continue  # gone for good
            if self._chance.random() < 0.3:
                yield from self._end(ReleaseCheckout(checkout_id=held.checkout_id))
            else:
                yield from self._end(self._completion(held.checkout_id))

    def meddling(self) -> Flow[None]:
        """Repeats orders and releases that are known, at any time."""
        for _ in range(4):
            yield from self._perform(GetSummary(rules=RULES))
            if self._known:
                checkout_id = self._chance.choice(self._known)
                release = ReleaseCheckout(checkout_id=checkout_id)
                again = self._completion(checkout_id)
                yield from self._end(self._chance.choice([again, again, release]))

    def _begun(self, brief: bool) -> Flow[Checkout | None]:
        expected = None
        if self._chance.random() < 0.5:
            expected = (yield from self._perform(GetSummary(rules=RULES))).version
        terms = {"rules": RULES, "operation_id": None}
        terms["expected"] = () if expected is None else (expected,)
        hold = BRIEF if brief else LONG
        try:
            held = yield from flows.begin_checkout(self._cart_id, hold, self._keeps, terms)
        except (CartLockedError, CartEmptyError, VersionConflictError):
            return None
        units = {line.line_id: line.quantity for line in held.cart.lines}
        hold_entry = {"keeps": self._keeps, "brief": brief, "expected": expected}
        self._note(held.cart, "begin", checkout_id=held.checkout_id, units=units, **hold_entry)
        return held

    def _completion(self, checkout_id: str) -> CompleteCheckout:
        return CompleteCheckout(checkout_id=checkout_id, order_id=f"order-{checkout_id}")

    def _end(self, operation: EndCheckout) -> Flow[None]:
        try:
            done = yield from self._perform(operation)
        except CheckoutNotOpenError:
            return
        if not done.replayed:
            what = "complete" if isinstance(operation, CompleteCheckout) else "release"
            self._note(done, what, checkout_id=operation.checkout_id)

    def _perform(self, operation: Any) -> Flow[Any]:
        return flows.perform(self._cart_id, operation)

    def _note(self, told: Any, what: str, **entry: Any) -> None:
        self.ledger.entries.append(Entry(version=told.version, what=what, **entry))

    def violations(self, store: Store) -> list[str]:
        """What is wrong in the end; the cart is then open, if need be because time is over."""
        cart = Cart(self._cart_id, store)
        lock = cart.summary().lock
        if lock is not None:
            _let_time_run_out(cart)
            run(self.add("last", 1), lambda step: store.execute(step.cart_id, step.operation))
        snapshot = cart.get()
        units = {line.line_id: line.quantity for line in snapshot.lines}
        found = self.ledger.violations(units, snapshot.version)
        return found if lock is None or "last" in units else [*found, "time does not open the cart"]


@pytest.mark.parametrize("keeps", [False, True], ids=["refuses", "keeps"])
def test_races_in_turns(keeps: bool, store: Store, chance: random.Random) -> None:
    """Whatever the turns: what was accepted is what one honest cart could have accepted."""
    for number in range(rounds(80, 4000) if isinstance(store, MemoryStore) else rounds(30, 1500)):
        race = Race(f"c-{number}", chance, keeps)

        done = in_turns(chance, steps_with_brief_holds(store), race.everybody())

        assert [one.error for one in done] == [None] * 5, number
        assert race.violations(store) == [], number


@pytest.mark.parametrize("keeps", [False, True], ids=["refuses", "keeps"])
def test_races_of_threads(keeps: bool, any_engine: Engine, chance: random.Random) -> None:
    """The same, at once."""
    store = RedisStore(any_engine.url)
    do = steps_with_brief_holds(store)
    with ThreadPoolExecutor(5) as pool:
        for number in range(rounds(6, 500)):
            race = Race(f"c-{number}", chance, keeps)

            list(pool.map(lambda flow: run(flow, do), race.everybody()))

            assert race.violations(store) == [], number
    store.close()


AFTERWARDS = {
    "ordered": {},
    "destroyed": {},
    "merged": {"apple": 5},
    "cleared": {},
}


@pytest.mark.parametrize("then", AFTERWARDS)
def test_what_an_ended_check_out_saw_is_forgotten(then: str, store: Store) -> None:
    """Units were added while it held the cart; then time ran out. The next order takes them too."""
    cart, other = Cart("c", store), Cart("other", store)
    cart.add("apple", quantity=3)
    cart.begin_checkout(hold=BRIEF, keep_additions=True)
    cart.add("apple", quantity=2)
    while_it_lasts = cart.get().ordered
    _end_the_hold(store, "c")

    if then == "ordered":
        checkout = cart.begin_checkout(keep_additions=True)
        assert checkout.cart.lines[0].quantity == 5
        cart.complete_checkout(checkout.checkout_id, "o")
    elif then == "merged":
        other.merge_from("c")
    else:
        cart.destroy() if then == "destroyed" else cart.clear()

    assert while_it_lasts == {"apple": 3}
    assert cart.get().ordered == {}
    left = [*cart.get().lines, *other.get().lines]
    assert {line.line_id: line.quantity for line in left} == AFTERWARDS[then]


def test_races_with_lost_replies(any_engine: Engine, chance: random.Random) -> None:
    """One reply in five lost: what was seen is what is ordered, and nothing later is lost."""
    with any_engine.connected() as client:
        for number in range(rounds(15, 2000)):
            cart_id = f"c-{number}"
            whole: Counter[str] = Counter()
            everybody = [
                *(adding(cart_id, sku, whole) for sku in SKUS),
                *(ordering(cart_id, whole) for _ in range(2)),
            ]
            wired = [on_the_wire(flow, Keyspace()) for flow in everybody]
            done = in_turns(chance, sending(client, chance, lost=0.2), wired)

            assert [one.error for one in done] == [None] * 4, number
            lines = Cart(cart_id, client).get().lines
            assert {line.line_id: line.quantity for line in lines} == +whole, number


def adding(cart_id: str, sku: str, whole: Counter[str]) -> Flow[None]:
    for _ in range(5):
        yield from flows.perform(cart_id, AddItem(sku=sku, rules=RULES))
        whole[sku] += 1


def ordering(cart_id: str, whole: Counter[str]) -> Flow[None]:
    """Check-outs that keep additions, so that none of those is ever refused."""
    for _ in range(3):
        terms = {"rules": RULES, "operation_id": None}
        try:
            held = yield from flows.begin_checkout(cart_id, LONG, True, terms)
        except (CartLockedError, CartEmptyError):
            continue
        order = CompleteCheckout(checkout_id=held.checkout_id, order_id="o")
        yield from flows.perform(cart_id, order)
        whole.subtract({line.line_id: line.quantity for line in held.cart.lines})
