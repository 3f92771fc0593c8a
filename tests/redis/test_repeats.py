"""Exactly once: the same call sent again is known, an older one is refused."""

from __future__ import annotations

import asyncio
import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis
from msgspec.structs import replace

from ecart import (
    AsyncCart,
    AsyncRedisStore,
    Cart,
    CorruptCartError,
    LineItem,
    OutcomeUnknownError,
    RedisStore,
)
from ecart.errors import StaleOperationError, StoreUnavailableError
from ecart.model import Merge, MergeReport
from ecart.operations import (
    AddItem,
    BeginMerge,
    Change,
    Clear,
    EndMerge,
    GetSummary,
    MergeLines,
    Purge,
)
from ecart.stores.redis.deduplication import GROUPS, acquire_lane, release_lane
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.operations import ScriptCall, build_call, mark_of, read_change
from operation_examples import ADD_ANOTHER, OF_AN_OPEN_CART, SET_TO_ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine

KEY = Keyspace().cart("c")

# Each as it is after a cart with two apples was made at version 1.
CHANGES = {
    name: replace(change, expected=(1,))
    for name, change in (
        OF_AN_OPEN_CART | {"add another": ADD_ANOTHER, "set to zero": SET_TO_ZERO}
    ).items()
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture
def client(any_engine: Engine) -> Iterator[Any]:
    with any_engine.connected() as client:
        yield client


@pytest.fixture
def epoch(client: Any) -> str:
    """That of a cart with two apples."""
    return Cart("c", client).add("apple", 2, unit_price="1.5").summary.epoch


def send(client: Any, call: ScriptCall) -> Any:
    return client.execute_command(*call.by_text)


@each_change
def test_the_same_call_twice_is_one_change(client: Any, epoch: str, change: Change) -> None:
    """The engine sees it again, as after a lost reply: `replayed`, and not a byte changed."""
    call = build_call(KEY, change, acquire_lane(KEY))
    first = send(client, call)
    stored, expiry = client.hgetall(KEY), client.pexpiretime(KEY) if _newer(client) else None

    again = send(client, call)

    assert [mark_of(first), mark_of(again)] == [b"0", b"1"]
    assert first.split(b"\n")[1:5] == again.split(b"\n")[1:5]
    assert client.hgetall(KEY) == stored
    assert expiry is None or client.pexpiretime(KEY) == expiry


def _newer(client: Any) -> bool:
    return int(client.info("server")["redis_version"].split(".")[0]) >= 7


def test_a_merge_tells_what_it_did_with_the_whole_cart_too(client: Any, epoch: str) -> None:
    """The first time and when it is repeated; after its terms, whatever else the reply has."""
    merge = MergeLines(
        merge_id="m" * 11,
        epoch=epoch,
        policy="sum",
        lines=(LineItem("apple", 3), LineItem("pear", 1)),
        currency="USD",
        want_cart=True,
    )
    store = RedisStore(client)

    done, again = (store.execute("c", merge) for _ in range(2))

    assert [line.quantity for line in done.cart.lines] == [5, 1]
    assert (done.report, done.replayed) == (MergeReport("m" * 11, added=1, raised=1), False)
    assert (again.report, again.replayed) == (replace(done.report, replayed=True), True)
    assert again.cart == done.cart


def test_a_merge_that_has_begun_is_shown_to_who_begins_another(client: Any, epoch: str) -> None:
    """Whoever comes second learns which one is to be finished first; nothing is refused."""
    store = RedisStore(client)
    first, second = Merge("m" * 11, "sum", "one"), Merge("n" * 11, "keep_target", "other")

    begun, other = (store.execute("c", BeginMerge(merge=merge)) for merge in (first, second))
    store.execute("c", EndMerge(merge_id=first.merge_id, is_merged=True))
    after = store.execute("c", BeginMerge(merge=second))

    assert (begun.summary.state, begun.summary.merge) == ("merging", first)
    assert (other.summary.state, other.summary.merge) == ("merging", first)
    assert (after.summary.state, after.summary.merge) == ("merged", first)


def test_a_purge_twice_is_one_purge(client: Any, epoch: str) -> None:
    """The second finds nothing, says so kindly, and spares a cart that was made since."""
    call = build_call(KEY, Purge(epoch=epoch, expected=(1,)), acquire_lane(KEY))
    send(client, call)
    assert client.exists(KEY) == 0
    assert mark_of(send(client, call)) == b"0"

    Cart("c", client).add("pear")

    assert mark_of(send(client, call)) == b"0"
    assert Cart("c", client).contains("pear")


@each_change
def test_a_straggler_is_refused(client: Any, epoch: str, change: Change) -> None:
    """A call that was given up and comes after a later one of its lane: `stale_operation`."""
    lane = acquire_lane(KEY)
    late = build_call(KEY, change, lane)
    lane.sequence += 1
    send(client, build_call(KEY, AddItem(sku="pear"), lane))
    stored = client.hgetall(KEY)

    reply = send(client, late)

    assert reply == [b"stale_operation"]
    with pytest.raises(StaleOperationError):
        read_change(KEY, "c", change, mark_of(reply), reply)
    assert client.hgetall(KEY) == stored


def test_one_number_is_one_change(client: Any, epoch: str) -> None:
    """Another change under a lane's number is refused: a writer that lost count harms nothing."""
    lane = acquire_lane(KEY)
    send(client, build_call(KEY, AddItem(sku="pear"), lane))

    assert send(client, build_call(KEY, Clear(), lane)) == [b"idempotency_key_reused"]


def test_a_worker_leaves_one_record(client: Any) -> None:
    """Whatever the number of changes and of handles."""
    for number in range(300):
        Cart("c", client).add(f"sku-{number % 7}")

    assert len([name for name in client.hkeys(KEY) if name[:1] == b"~"]) == 1


class Forgetful:
    """A client whose replies are lost while `losing`: the engine has done what it was told."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.losing = True
        self.loses_next = False
        """Only the next reply is lost."""
        self.deaf = False
        """Whether requests are lost already, instead of replies."""
        self.sent = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        reply = None if self.deaf else self._client.execute_command(*args, **options)
        self.sent += 1
        if self.losing:
            self.losing = not self.loses_next
            raise redis.ConnectionError("Connection closed by server.")
        return reply


@pytest.fixture
def forgetful(engine: Engine) -> Iterator[Forgetful]:
    with engine.connected() as client:
        Cart("c", client).add("apple", quantity=1)
        yield Forgetful(client)


def test_an_unknown_outcome_is_reported_with_its_name(forgetful: Forgetful) -> None:
    """Repeated until the deadline, under one number; then `outcome_unknown`, applied once."""
    cart = Cart("c", RedisStore(forgetful, deadline=0.2))

    with pytest.raises(OutcomeUnknownError) as unknown:
        cart.add("apple")

    assert unknown.value.code == "outcome_unknown"
    assert forgetful.sent > 2
    lane, _, sequence = unknown.value.operation_id.rpartition(".")
    forgetful.losing = False
    stored = forgetful.execute_command("HGET", KEY, lane)
    assert stored.split(b"|")[0].decode() == sequence
    assert cart.line("apple").quantity == 2  # type: ignore[union-attr]


def test_a_lane_of_unknown_outcome_is_retired(forgetful: Forgetful) -> None:
    """No later change takes its number further: its record goes on telling what became of it."""
    cart = Cart("c", RedisStore(forgetful, deadline=0.1))
    with pytest.raises(OutcomeUnknownError) as unknown:
        cart.add("apple")
    retired = unknown.value.operation_id.rpartition(".")[0]
    forgetful.losing = False

    for _ in range(5):
        cart.add("apple")

    taken = acquire_lane(KEY)
    release_lane(taken)
    assert taken.field != retired
    names = {name.decode() for name in forgetful.execute_command("HKEYS", KEY)}
    assert {retired, taken.field} <= names


class OnceForgetful(Forgetful):
    """Its first reply is lost; from then on the engine does not serve."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.sent:
            raise redis.exceptions.BusyLoadingError("Redis is loading the dataset in memory")
        return super().execute_command(*args, **options)


class AsyncOnceForgetful(OnceForgetful):
    """The same for asyncio."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*args, **options)


def test_the_first_attempt_is_not_forgotten(client: Any) -> None:
    """Only that one may have run, and it did: whatever the later ones met, the outcome is open."""
    cart = Cart("c", RedisStore(OnceForgetful(client), deadline=0.1))

    with pytest.raises(OutcomeUnknownError) as unknown:
        cart.add("apple")

    assert Cart("c", client).add("apple", operation_id=unknown.value.operation_id).replayed


async def test_the_first_attempt_of_a_task_is_not_forgotten(client: Any) -> None:
    """Nor there."""
    cart = AsyncCart("c", AsyncRedisStore(AsyncOnceForgetful(client), deadline=0.1))

    with pytest.raises(OutcomeUnknownError) as unknown:
        await cart.add("apple")

    assert Cart("c", client).add("apple", operation_id=unknown.value.operation_id).replayed


@pytest.mark.parametrize("name", ["order-1", None])
def test_an_unknown_outcome_can_be_resolved(forgetful: Forgetful, name: str | None) -> None:
    """Repeated under the name that the error tells, the change that landed is recognised."""
    cart = Cart("c", RedisStore(forgetful, deadline=0.1))
    with pytest.raises(OutcomeUnknownError) as unknown:
        cart.add("apple", operation_id=name)
    told = unknown.value.operation_id
    assert told == name or name is None
    forgetful.losing = False

    again = cart.add("apple", operation_id=told)

    assert again.replayed
    assert again.summary.total_quantity == 2
    assert cart.resolve(told) is not None


@pytest.mark.parametrize("name", ["order-1", None])
def test_a_change_that_never_arrived_is_made_by_its_repeat(
    forgetful: Forgetful, name: str | None
) -> None:
    """The request was lost on its way: `resolve` says so, and the repeat is the one change."""
    forgetful.deaf = True
    cart = Cart("c", RedisStore(forgetful, deadline=0.1))
    with pytest.raises(OutcomeUnknownError) as unknown:
        cart.add("apple", operation_id=name)
    told = unknown.value.operation_id
    forgetful.losing = forgetful.deaf = False
    assert cart.resolve(told) is None

    repeats = [cart.add("apple", operation_id=told) for _ in range(3)]

    assert [repeat.replayed for repeat in repeats] == [False, True, True]
    assert cart.line("apple").quantity == 2  # type: ignore[union-attr]
    assert cart.resolve(told) is not None


def test_a_later_change_of_a_lane_tells_nothing_of_an_earlier(client: Any) -> None:
    """A record tells of its last number alone."""
    for _ in range(2):
        Cart("c", client).add("apple")
    lane = acquire_lane(KEY)
    release_lane(lane)

    assert Cart("c", client).resolve(f"{lane.field}.{lane.sequence - 1}") is not None
    assert Cart("c", client).resolve(f"{lane.field}.{lane.sequence - 2}") is None


def test_a_damaged_record_is_reported(client: Any) -> None:
    """It is neither a yes nor a no."""
    Cart("c", client).add("apple", operation_id="k1")
    (record,) = (name for name in client.hkeys(KEY) if name[:1] == b"#")
    client.hset(KEY, record, "1|zz|yesterday")

    with pytest.raises(CorruptCartError) as told:
        Cart("c", client).resolve("k1")
    client.delete(KEY)

    assert (told.value.key, told.value.field) == (KEY, record.decode())


def test_lost_replies_within_the_deadline_are_not_noticed(forgetful: Forgetful) -> None:
    """The change is repeated and known again; the caller sees one result."""

    class Recovering(Forgetful):
        def execute_command(self, *args: Any, **options: Any) -> Any:
            self.losing = self.sent < 3
            return super().execute_command(*args, **options)

    recovering = Recovering(forgetful._client)

    change = Cart("c", RedisStore(recovering, index=False)).add("apple")

    assert recovering.sent == 4
    assert (change.replayed, change.summary.total_quantity) == (True, 2)


def test_a_refusal_frees_the_lane(forgetful: Forgetful) -> None:
    """Refused is certain: the lane goes on to the next change."""
    forgetful.losing = False
    cart = Cart("c", forgetful)
    before = acquire_lane(KEY)
    release_lane(before)

    with pytest.raises(LookupError):
        cart.remove("pear")

    after = acquire_lane(KEY)
    release_lane(after)
    assert after is before


def test_what_was_certainly_not_done_frees_the_lane() -> None:
    """Nobody listens: nothing was sent, so nobody will ever ask what became of it."""
    before = acquire_lane(KEY)
    release_lane(before)

    with pytest.raises(StoreUnavailableError):
        Cart("c", RedisStore("unix:///nowhere/at/all", deadline=0.05)).add("apple")

    after = acquire_lane(KEY)
    release_lane(after)
    assert after is before


def test_changes_at_once_take_lanes_of_their_own() -> None:
    """Last freed, first taken: few are in use."""
    first, second = acquire_lane(KEY), acquire_lane(KEY)
    assert first.field != second.field

    release_lane(first)
    release_lane(second)

    again = acquire_lane(KEY)
    assert again is second
    release_lane(again)


def test_reads_need_no_lane(forgetful: Forgetful) -> None:
    """Reading leaves no trace and may be repeated at will."""
    forgetful.losing = False
    before = acquire_lane(KEY)
    sequence = before.sequence
    release_lane(before)

    RedisStore(forgetful).execute("c", GetSummary())

    assert before.sequence == sequence


def test_each_cart_that_is_made_has_an_epoch_of_its_own(client: Any) -> None:
    """Also after a cart ended, and where the reply to who made it was lost."""
    epochs = []
    for cart_id in ("a", "b"):
        cart = Cart(cart_id, client)
        epochs.append(cart.add("apple", unit_price="1").summary.epoch)
        cart.add("apple", unit_price="1")
        cart.destroy()
        epochs.append(cart.add("apple", unit_price="1").summary.epoch)
    epochs += [Cart(f"gone-{n}", client).destroy(operation_id="x").summary.epoch for n in "cd"]
    for cart_id in ("e", "f"):
        losing_one = Forgetful(client)
        losing_one.loses_next = True
        epochs.append(Cart(cart_id, losing_one).add("apple", unit_price="1").summary.epoch)

    assert len(set(epochs)) == len(epochs) == 8


def test_an_epoch_that_no_cart_has_is_kept(client: Any) -> None:
    """None is drawn for a change of a cart that is there."""
    Cart("c", client).add("apple", unit_price="1")
    lane = acquire_lane(KEY)
    release_lane(lane)
    kept = lane.epoch

    Cart("c", client).add("apple", unit_price="1")

    assert lane.epoch == kept
    assert Cart(of_the_same_group(KEY), client).add("apple", unit_price="1").summary.epoch == kept
    assert lane.epoch != kept


def of_the_same_group(key: str) -> str:
    """A cart that is changed by the lanes of this key's group."""
    keys = Keyspace()
    others = (f"d-{n}" for n in itertools.count())
    return next(other for other in others if hash(keys.cart(other)) % GROUPS == hash(key) % GROUPS)


async def test_a_cart_sees_few_lanes_however_many_carts_are_busy(engine: Engine) -> None:
    """Each has a record of those that changed it, which every reading and script would carry."""
    chance, store = random.Random(5), AsyncRedisStore(engine.url)
    carts = [AsyncCart(f"c-{n}", store) for n in range(64)]

    async def fill(cart: AsyncCart) -> None:
        for _ in range(30):
            await asyncio.sleep(chance.uniform(0, 0.003))  # or all would go on in step
            await cart.add("apple")

    await asyncio.gather(*map(fill, carts))

    with engine.connected() as client:
        names = [client.hkeys(store.keys.cart(cart.cart_id)) for cart in carts]
    quantities = [(await cart.summary()).total_quantity for cart in carts]
    await store.close()
    lanes = sorted(sum(name[:1] == b"~" for name in each) for each in names)
    assert quantities == [30] * 64
    assert lanes[len(lanes) // 2] == 1
    assert lanes[-1] <= 4


async def test_changes_of_one_cart_at_once_have_a_lane_each(engine: Engine) -> None:
    """No two may have the same number, and the next ones take the same lanes again."""
    store = AsyncRedisStore(engine.url)
    cart = AsyncCart("c", store)

    for _ in range(5):
        await asyncio.gather(*(cart.add("apple") for _ in range(8)))

    with engine.connected() as client:
        lanes = [name for name in client.hkeys(KEY) if name[:1] == b"~"]
    quantity = (await cart.summary()).total_quantity
    await store.close()
    assert quantity == 40
    assert len(lanes) == 8


def test_threads_make_lanes_of_their_own() -> None:
    """Two that make one at the same moment make two."""

    def make(_: int) -> list[str]:
        return [acquire_lane(f"key-{n}").field for n in range(500)]

    with ThreadPoolExecutor(8) as pool:
        fields = [field for made in pool.map(make, range(8)) for field in made]

    assert len(set(fields)) == len(fields) == 4000
