"""Merges that crash, meet and cross each other: items are conserved, once, whoever goes on."""

from __future__ import annotations

import contextlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, MemoryStore, RedisStore, Rules, flows
from ecart.errors import (
    CartEmptyError,
    CartLockedError,
    CartMergedError,
    CurrencyMismatchError,
)
from ecart.operations import AddItem, CompleteCheckout, Destroy, Operation, ReleaseCheckout
from ecart.store import run, steps_on
from ecart.stores.redis.keys import Keyspace
from faults.soak import TIMEOUT, rounds
from faults.stepping import (
    Point,
    Stepped,
    crash,
    in_turns,
    on_the_wire,
    points,
    sending,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ecart.flows import Flow
    from ecart.store import Store
    from engines import Engine

pytestmark = pytest.mark.timeout(TIMEOUT)

RULES = Rules()
STEPS = ("GetSummary", "BeginMerge", "GetMergeSource", "MergeLines", "EndMerge")
OURS = ("guest", "user", "other")


def how_often(store: Store) -> int:
    """Turns cost little in memory, so more of them are taken there."""
    return rounds(200, 4000) if isinstance(store, MemoryStore) else rounds(16, 400)


def units(store: Store, *cart_ids: str) -> Counter[str]:
    """The units of each line in these carts together."""
    found: Counter[str] = Counter()
    for cart_id in cart_ids:
        found.update({line.line_id: line.quantity for line in Cart(cart_id, store).get().lines})
    return found


def states(store: Store, *cart_ids: str) -> list[str]:
    return [Cart(cart_id, store).summary().state for cart_id in cart_ids]


def merging(source_id: str = "guest", target_id: str = "user") -> Flow[Any]:
    return flows.merge(source_id, target_id, "sum", RULES)


def adding(cart_id: str, sku: str, times: int, acknowledged: Counter[str]) -> Flow[None]:
    """Adds units one by one; what a merged or held cart refuses does not count."""
    for _ in range(times):
        with contextlib.suppress(CartMergedError, CartLockedError):
            yield from flows.perform(cart_id, AddItem(sku=sku, rules=RULES))
            acknowledged[sku] += 1


def checking_out(cart_id: str, end: type[Operation[Any]], acknowledged: Counter[str]) -> Flow[None]:
    """Holds a cart and completes or releases; what was ordered is in no cart any more."""
    terms = {"rules": RULES, "operation_id": None}
    with contextlib.suppress(CartMergedError, CartLockedError, CartEmptyError):
        held = yield from flows.begin_checkout(cart_id, 900, False, terms)
        order = {"order_id": "o"} if end is CompleteCheckout else {}
        yield from flows.perform(cart_id, end(checkout_id=held.checkout_id, **order))
        if order:
            acknowledged.subtract({line.line_id: line.quantity for line in held.cart.lines})


def fill(store: Store, guest: str = "guest", user: str = "user") -> Counter[str]:
    """Three apples and a pear to be merged into two apples."""
    Cart(guest, store).add("apple", 3, unit_price="0.50")
    Cart(guest, store).add("pear", unit_price="1")
    Cart(user, store).add("apple", 2, unit_price="0.50")
    return Counter(apple=5, pear=1)


def finish(store: Store, source: str, target: str) -> None:
    """Whatever is half done is finished: by one more merge."""
    with contextlib.suppress(CartMergedError):
        Cart(target, store).merge_from(source)


def test_a_merge_takes_five_steps() -> None:
    """The points where it can crash, so that the tests below leave none out."""
    store = MemoryStore()
    fill(store)
    taken: list[str] = []

    def do(step: Any) -> Any:
        taken.append(type(step.operation).__name__)
        return store.execute(step.cart_id, step.operation)

    run(merging(), do)

    assert tuple(taken) == STEPS


def merge_again(store: Store) -> dict[str, int]:
    finish(store, "guest", "user")
    return {}


def merge_into_another(store: Store) -> dict[str, int]:
    finish(store, "guest", "other")
    return {}


def add_to_the_source(store: Store) -> dict[str, int]:
    try:
        Cart("guest", store).add("late")
    except CartMergedError:
        return {}
    return {"late": 1}


def add_to_the_target(store: Store) -> dict[str, int]:
    Cart("user", store).add("late")
    return {"late": 1}


def check_the_source_out(store: Store) -> dict[str, int]:
    guest = Cart("guest", store)
    try:
        checkout = guest.begin_checkout()
    except CartMergedError:
        return {}
    guest.complete_checkout(checkout.checkout_id, "o")
    return {line.line_id: -line.quantity for line in checkout.cart.lines}


TOUCH_THE_SOURCE = [merge_again, merge_into_another, add_to_the_source, check_the_source_out]


@pytest.mark.parametrize(
    "resume", [*TOUCH_THE_SOURCE, add_to_the_target], ids=lambda resume: resume.__name__
)
@pytest.mark.parametrize("point", points(len(STEPS)), ids=str)
def test_whoever_goes_on_after_a_crash(
    store: Store, point: Point, resume: Callable[[Store], dict[str, int]]
) -> None:
    """At every step, before or after its effect: the items are there once, and it has ended."""
    whole = fill(store)
    assert crash(merging(), steps_on(store), point)

    whole.update(resume(store))
    if resume in TOUCH_THE_SOURCE:
        assert "merging" not in states(store, *OURS)
    finish(store, "guest", "user")

    assert units(store, *OURS) == whole
    assert "merging" not in states(store, *OURS)
    before = [Cart(cart_id, store).get() for cart_id in OURS]
    merge_again(store)
    merge_into_another(store)
    assert [Cart(cart_id, store).get() for cart_id in OURS] == before


@pytest.mark.parametrize("is_held", [False, True], ids=["merged", "refused"])
@pytest.mark.parametrize("point", points(len(STEPS)), ids=str)
def test_two_who_go_on_at_once(
    store: Store, point: Point, is_held: bool, chance: random.Random
) -> None:
    """After a crash anywhere, in any turns, with adds to both: taken or refused, never both."""
    for number in range(how_often(store) // 8):
        guest, user = f"guest-{number}", f"user-{number}"
        whole = fill(store, guest, user)
        checkout = Cart(user, store).begin_checkout() if is_held else None
        done = crash(merging(guest, user), steps_on(store), point)
        assert done
        resumed = in_turns(
            chance,
            steps_on(store),
            [
                merging(guest, user),
                merging(guest, user),
                adding(guest, "apple", 2, whole),
                adding(user, "plum", 2, whole),
            ],
        )

        told = CartLockedError if is_held else type(None)
        assert {type(one.error) for one in resumed[:2]} == {told}
        assert [one.error for one in resumed[2:]] == [None, None]
        assert states(store, guest, user) == (
            ["open", "locked"] if is_held else ["merged", "open"]
        ), number
        assert units(store, guest, user) == whole, number
        if checkout is not None:
            Cart(user, store).release_checkout(checkout.checkout_id)
            Cart(user, store).merge_from(guest)
            assert units(store, user) == whole


def test_random_crashes(any_engine: Engine, chance: random.Random) -> None:
    """Threads resume and add while a merge crashes: the units acknowledged are the units there."""
    store = RedisStore(any_engine.url)
    with ThreadPoolExecutor(4) as pool:
        for number in range(rounds(15, 250)):
            guest, user = f"guest-{number}", f"user-{number}"
            whole = fill(store, guest, user)
            checkout = Cart(user, store).begin_checkout() if chance.random() < 0.25 else None
            added = [Counter[str](), Counter[str]()]
            adds = [adding(guest, "apple", 4, added[0]), adding(user, "apple", 4, added[1])]
            point = chance.choice(points(len(STEPS)))

            running = [pool.submit(run, flow, steps_on(store)) for flow in adds]
            crash(merging(guest, user), steps_on(store), point)
            running += [pool.submit(run, merging(guest, user), steps_on(store)) for _ in range(2)]
            failed = [type(error) for one in running if (error := one.exception())]

            assert failed == ([CartLockedError] * 2 if checkout else []), (number, str(point))
            assert units(store, guest, user) == whole + added[0] + added[1], (number, str(point))
            assert states(store, guest, user) == (
                ["open", "locked"] if checkout else ["merged", "open"]
            ), (number, str(point))
    store.close()


def test_merges_with_lost_replies(any_engine: Engine, chance: random.Random) -> None:
    """One reply in five lost, at any step of two who merge and two who add: each unit once."""
    with any_engine.connected() as client:
        for number in range(rounds(10, 1000)):
            guest, user = f"guest-{number}", f"user-{number}"
            whole = fill(RedisStore(client), guest, user)
            everybody = [
                merging(guest, user),
                merging(guest, user),
                adding(guest, "apple", 2, whole),
                adding(user, "plum", 2, whole),
            ]
            wired = [on_the_wire(flow, Keyspace()) for flow in everybody]
            done = in_turns(chance, sending(client, chance, lost=0.2), wired)

            assert [one.error for one in done] == [None] * 4, number
            assert units(RedisStore(client), user) == whole, number


def test_carts_merged_into_each_other(store: Store, chance: random.Random) -> None:
    """A into B and B into A at once, with adds to both: one wins, and all is in it."""
    for number in range(how_often(store)):
        a, b = f"a-{number}", f"b-{number}"
        whole = fill(store, a, b)
        adds = [adding(a, "plum", 2, whole), adding(b, "fig", 2, whole)]
        done = in_turns(chance, steps_on(store), [merging(a, b), merging(b, a), *adds])

        assert {type(one.error) for one in done} <= {type(None), CartMergedError}, number
        assert sorted(states(store, a, b)) == ["merged", "open"], number
        assert units(store, a, b) == whole, number


def test_chains_and_rings(store: Store, chance: random.Random) -> None:
    """A into B, B into C, and sometimes C into A, at once, one of them crashing at any step."""
    for number in range(how_often(store)):
        a, b, c = (f"{name}-{number}" for name in "abc")
        whole = fill(store, a, b)
        Cart(c, store).add("fig", quantity=7)
        whole["fig"] += 7
        ring = [(a, b), (b, c), (c, a)][: chance.choice([2, 3])]
        crash(merging(*chance.choice(ring)), steps_on(store), chance.choice(points(len(STEPS))))
        adds = [adding(cart, "plum", 2, whole) for cart in (a, b, c)]
        done = in_turns(chance, steps_on(store), [*(merging(*pair) for pair in ring), *adds])

        assert {type(one.error) for one in done} <= {type(None), CartMergedError}, number
        assert units(store, a, b, c) == whole, number
        assert "merging" not in states(store, a, b, c), number


def test_two_targets_and_a_check_out(store: Store, chance: random.Random) -> None:
    """Two carts want the same source while check-outs come and go: each unit is in one place."""
    for number in range(how_often(store)):
        guest, user, other = (f"{name}-{number}" for name in OURS)
        whole = fill(store, guest, user)
        Cart(other, store).add("fig")
        whole["fig"] += 1
        ends = {
            cart_id: chance.choice([CompleteCheckout, ReleaseCheckout])
            for cart_id in (guest, user, other)
        }
        done = in_turns(
            chance,
            steps_on(store),
            [
                merging(guest, user),
                merging(guest, other),
                adding(guest, "apple", 2, whole),
                *(checking_out(cart_id, end, whole) for cart_id, end in ends.items()),
            ],
        )

        allowed = {type(None), CartMergedError, CartLockedError}
        assert {type(one.error) for one in done} <= allowed, number
        assert units(store, guest, user, other) == +whole, number
        assert "merging" not in states(store, guest, user, other), number


def test_another_currency_with_two_resumers(store: Store, chance: random.Random) -> None:
    """Refused for good, in any turns: both carts are open and hold what was theirs."""
    for number in range(how_often(store)):
        guest, user = f"guest-{number}", f"user-{number}"
        Cart(guest, store, currency="EUR").add("pear", 3, unit_price="1")
        Cart(user, store).add("apple", 2, unit_price="1")
        crash(merging(guest, user), steps_on(store), chance.choice(points(len(STEPS))))
        added: Counter[str] = Counter(pear=3)
        done = in_turns(
            chance,
            steps_on(store),
            [merging(guest, user), merging(guest, user), adding(guest, "pear", 2, added)],
        )

        assert {type(one.error) for one in done[:2]} == {CurrencyMismatchError}, number
        assert states(store, guest, user) == ["open", "open"], number
        assert (units(store, guest), units(store, user)) == (added, {"apple": 2}), number


@pytest.mark.parametrize("end", ["destroyed", "purged"])
def test_a_target_that_ends_in_between(end: str, store: Store, chance: random.Random) -> None:
    """What it had taken may be gone with it; what it had not is not, and nothing is there twice."""
    ended: list[str] = []

    def do(step: Any) -> Any:
        result = store.execute(step.cart_id, step.operation)
        ended.append(type(step.operation).__name__)
        return result

    for number in range(how_often(store)):
        guest, user = f"guest-{number}", f"user-{number}"
        Cart(guest, store).add("apple", quantity=3)
        Cart(user, store).add("pear", quantity=2)
        ended.clear()
        ending = (
            flows.perform(user, Destroy(rules=RULES))
            if end == "destroyed"
            else flows.purge(user, rules=RULES)
        )
        done = in_turns(chance, do, [merging(guest, user), merging(guest, user), ending])
        assert [one.error for one in done] == [None, None, None], number
        finish(store, guest, user)

        left = units(store, guest, user)["apple"]
        name = "Destroy" if end == "destroyed" else "Purge"
        if ended.index(name) < ended.index("MergeLines"):
            assert left == 3, number
        else:
            assert left in ((0,) if end == "destroyed" else (0, 3)), number
        assert units(store, guest) == {}, number


def test_a_refusal_is_for_good(store: Store) -> None:
    """Refused, and then the target is free: who comes late with the lines does not give them."""
    whole = fill(store)
    checkout = Cart("user", store).begin_checkout()
    late = Stepped(merging(), steps_on(store))
    for _ in STEPS[:3]:
        late.advance()
    with pytest.raises(CartLockedError):
        Cart("user", store).merge_from("guest")
    Cart("user", store).release_checkout(checkout.checkout_id)

    late.advance()

    assert states(store, "guest", "user") == ["open", "open"]
    assert units(store, "guest", "user") == whole
    late.finish()
    assert units(store, "user") == whole


def test_a_late_end_is_of_its_own_merge(store: Store) -> None:
    """A refused merge that is ended late does not open the cart to which the next one came."""
    whole = fill(store)
    checkout = Cart("user", store).begin_checkout()
    late = Stepped(merging(), steps_on(store))
    for _ in STEPS[:4]:
        late.advance()
    with pytest.raises(CartLockedError):
        Cart("user", store).merge_from("guest")
    Cart("user", store).release_checkout(checkout.checkout_id)
    crash(merging(), steps_on(store), Point(STEPS.index("MergeLines"), took_effect=True))

    late.advance()

    assert states(store, "guest") == ["merging"]
    finish(store, "guest", "user")
    assert units(store, "guest", "user") == units(store, "user") == whole


def test_a_refusal_outlives_a_purged_target(store: Store) -> None:
    """Refused, and the refusal purged with the target: who comes late does not take it back."""
    fill(store)
    Cart("user", store).begin_checkout()
    late = Stepped(merging(), steps_on(store))
    for _ in STEPS[:3]:  # it has the lines and is about to give them to the target
        late.advance()
    with pytest.raises(CartLockedError):
        Cart("user", store).merge_from("guest")
    Cart("user", store).purge()

    late.finish()

    assert units(store, "guest", "user") == {"apple": 3, "pear": 1}


def test_a_source_that_was_erased_in_between(store: Store) -> None:
    """The cart that took its place is not in that merge: each of its units is in one place."""
    whole = fill(store)
    late = Stepped(merging(), steps_on(store))
    for _ in STEPS[:2]:  # it is about to read what it has frozen
        late.advance()
    whole -= units(store, "guest")
    Cart("guest", store).purge()
    Cart("guest", store).add("fig")
    whole["fig"] += 1

    late.finish()

    assert units(store, "guest", "user") == whole
