"""From E-Cart 1.0.2: whole carts, exact amounts, nothing lost, nothing deleted unasked."""

from __future__ import annotations

import json
import time
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore, ecart
from ecart_server.redis_admin.connections import opened_nodes
from ecart_server.transfer import Migration, MigrationOptions, MigrationReport, TransferProblem
from engines import two_primaries
from faults.soak import rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine

pytestmark = pytest.mark.foreign_data  # old carts are none of ours

WRITE = MigrationOptions(write=True)
DELETE = MigrationOptions(write=True, delete=True)


def product(unit_cost: Any, quantity: Any = 1, **extra: Any) -> str:
    """As E-Cart 1.0.2 stores it."""
    return json.dumps({"unit_cost": unit_cost, "quantity": quantity, **extra})


def put_old(client: Any, user_id: str, products: dict[str, str], ttl: int | None = 3600) -> None:
    client.hset(f"E-CART:USER_ID:{user_id}", mapping=products)
    if ttl is not None:
        client.expire(f"E-CART:USER_ID:{user_id}", ttl)


@pytest.fixture
def client(engine: Engine) -> Iterator[Any]:
    with engine.connected() as connected:
        yield connected
        connected.flushall()


def migrate(
    url: str,
    options: MigrationOptions = WRITE,
    target: str | None = None,
    on_problem: Callable[[TransferProblem], None] = lambda problem: None,
) -> MigrationReport:
    with closing(RedisStore(target or url)) as store, opened_nodes(url) as nodes:
        return Migration(nodes, store, options, on_problem).run()


def numbers(report: MigrationReport) -> tuple[int, int, int, int, int]:
    return report.carts, report.written, report.same, report.refused, report.deleted


def test_a_cart_is_migrated(client: Any, engine: Engine) -> None:
    """Ids, amounts by their shortest text, quantities, extra data; the old cart stays."""
    put_old(client, "7", {"p1": product(10.1, 3, color="red"), "p2": product("0.005")})
    put_old(client, "Grüße/8", {"p3": product(2, 2)})

    report = migrate(engine.url)

    assert numbers(report) == (2, 2, 0, 0, 0)
    assert (report.lines, report.dry_run, report.complete) == (3, False, True)
    cart = Cart("7", client).get()
    assert (cart.subtotal, cart.total_quantity) == (Decimal("30.305"), 4)
    assert cart.lines[0].details == {"color": "red"}
    assert ecart.Cart("7", client).get_product("p1") == {
        "unit_cost": Decimal("10.1"),
        "quantity": 3,
        "color": "red",
    }
    assert Cart("Grüße/8", client).get().subtotal == 4
    assert client.exists("E-CART:USER_ID:7")


def test_a_dry_run_changes_nothing(client: Any, engine: Engine) -> None:
    """It says what would be written and what refused."""
    put_old(client, "7", {"p": product(1)})
    put_old(client, "8", {"p": product(-1)})
    before = client.info("persistence")["rdb_changes_since_last_save"]

    report = migrate(engine.url, MigrationOptions())

    assert numbers(report) == (2, 1, 0, 1, 0)
    assert report.dry_run
    assert client.info("persistence")["rdb_changes_since_last_save"] == before


def test_the_life_that_is_left(client: Any, engine: Engine) -> None:
    """Is carried over; the next change gives the life of today."""
    put_old(client, "7", {"p": product(1)}, ttl=1234)
    put_old(client, "8", {"p": product(1)}, ttl=None)

    migrate(engine.url)

    assert 1230 <= Cart("7", client).ttl() <= 1234  # type: ignore[operator]
    assert Cart("8", client).ttl() is None
    Cart("7", client).add("q")
    assert Cart("7", client).ttl() == 604_800


def test_a_repeat_changes_nothing(client: Any, engine: Engine) -> None:
    """Neither at once, nor after a shopper has changed the cart, nor a day later."""
    put_old(client, "7", {f"p{n}": product(1.5, 1 + n) for n in range(50)})
    migrate(engine.url)
    first = Cart("7", client).get()

    assert numbers(migrate(engine.url)) == (1, 0, 1, 0, 0)
    assert Cart("7", client).get() == first
    Cart("7", client).remove("p1")
    changed = Cart("7", client).get()
    assert numbers(migrate(engine.url)) == (1, 0, 1, 0, 0)
    assert Cart("7", client).get() == changed


def test_a_repeat_when_the_record_is_forgotten(client: Any, engine: Engine) -> None:
    """A migrated cart is recognised by its lines; one that has changed is left."""
    put_old(client, "7", {"p1": product(1.5), "p2": product(1)})
    migrate(engine.url)
    key = RedisStore("redis://x").keys.cart("7")
    (record,) = (name for name in client.hkeys(key) if name.startswith(b"#"))
    client.hdel(key, record)

    assert numbers(migrate(engine.url)) == (1, 0, 1, 0, 0)
    Cart("7", client).remove("p1")
    assert numbers(migrate(engine.url)) == (1, 0, 0, 1, 0)
    assert not Cart("7", client).contains("p1")


@pytest.mark.parametrize("options", [MigrationOptions(), WRITE, DELETE])
def test_a_cart_that_is_there_stays(client: Any, engine: Engine, options: MigrationOptions) -> None:
    """Also one that was emptied or destroyed: the old one is refused, and stays, too."""
    put_old(client, "7", {"p": product(1)})
    put_old(client, "8", {"p": product(1)})
    Cart("7", client).add("other")
    Cart("8", client).add("other")
    Cart("8", client).destroy()
    before = Cart("7", client).get()

    report = migrate(engine.url, options)

    assert numbers(report) == (2, 0, 0, 2, 0)
    assert report.problems.counts == {"cart_differs": 2}
    assert Cart("7", client).get() == before
    assert not Cart("8", client).get().exists
    assert client.exists("E-CART:USER_ID:7", "E-CART:USER_ID:8") == 2


def test_what_was_migrated_is_deleted_on_request(client: Any, engine: Engine) -> None:
    """Only that: what was refused stays. Also in a second run, after one without."""
    put_old(client, "7", {"p": product(1)})
    put_old(client, "8", {"p": product(float("nan"))})
    migrate(engine.url)

    assert numbers(migrate(engine.url, DELETE)) == (2, 0, 1, 1, 1)
    assert client.keys("E-CART:*") == [b"E-CART:USER_ID:8"]
    assert Cart("7", client).get().total_quantity == 1


CLICKS: dict[str, Callable[[Any], object]] = {
    "added": lambda client: client.hset("E-CART:USER_ID:7", "r", product(2)),
    "changed": lambda client: client.hset("E-CART:USER_ID:7", "q", product(2, 9)),
    "removed": lambda client: client.hdel("E-CART:USER_ID:7", "q"),
}


@pytest.mark.parametrize("click", CLICKS)
def test_an_old_cart_that_changes_meanwhile_is_not_deleted(
    client: Any, engine: Engine, click: str
) -> None:
    """The shopper's last click is in it: what is deleted is what was migrated."""
    put_old(client, "7", {"p": product(1), "q": product(2)})

    with closing(RedisStore(engine.url)) as store, opened_nodes(engine.url) as nodes:
        clicking = Clicking(store, lambda: CLICKS[click](client))
        report = Migration(nodes, clicking, DELETE).run()

    assert report.deleted == 0
    assert report.problems.counts == {"changed_meanwhile": 1}
    assert client.hget("E-CART:USER_ID:7", "p") == product(1).encode()


class Clicking:
    """A store on which, when a cart has been written, its shopper clicks in the old shop."""

    def __init__(self, store: RedisStore, click: Callable[[], object]) -> None:
        self.store, self.click = store, click

    def execute(self, cart_id: str, operation: Any, /) -> Any:
        result = self.store.execute(cart_id, operation)
        self.click()
        return result


def test_nothing_is_deleted_that_cannot_be_read_back(client: Any, engine: Engine) -> None:
    """A store that acknowledges and stores nothing costs no cart."""
    put_old(client, "7", {"p": product(1)})

    with closing(RedisStore(engine.url)) as store, opened_nodes(engine.url) as nodes:
        report = Migration(nodes, Forgetful(store), DELETE).run()

    assert numbers(report) == (1, 0, 0, 1, 0)
    assert client.exists("E-CART:USER_ID:7")


class Forgetful:
    """A store that loses what it was given."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store

    def execute(self, cart_id: str, operation: Any, /) -> Any:
        result = self.store.execute(cart_id, operation)
        Cart(cart_id, self.store).purge()
        return result


REFUSED = {
    "no JSON": ("x", "broken_product"),
    "no object": ("[1, 2]", "broken_product"),
    "no cost": ('{"quantity": 1}', "broken_product"),
    "nested too deeply": ('{"a":' * 100_000, "broken_product"),
    "NaN": (product(float("nan")), "invalid_amount"),
    "infinity": (product(float("inf")), "invalid_amount"),
    "a negative cost": (product(-0.01), "invalid_amount"),
    "no cost but null": (product(None), "invalid_amount"),
    "a sum of floats": (product(24.299999999999997), "invalid_amount"),
    "true": (product(True), "invalid_amount"),
    "no units": (product(1, 0), "invalid_quantity"),
    "half a unit": (product(1, 0.5), "invalid_quantity"),
    "a word for a quantity": (product(1, "2"), "invalid_quantity"),
    "too many units": (product(1, 10**7), "quantity_limit_exceeded"),
    "more money than there is": (product("9" * 15, 1_000_000), "amount_out_of_range"),
    "endless extra data": (product(1, 1, text="x" * 100_000), "invalid_details"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_cart_can_hold_is_refused(client: Any, engine: Engine, what: str) -> None:
    """The whole cart, with its key and the reason; the others are migrated."""
    text, code = REFUSED[what]
    put_old(client, "7", {"p": product(1), "bad": text})
    put_old(client, "8", {"p": product(1)})
    problems: list[TransferProblem] = []

    report = migrate(engine.url, DELETE, on_problem=problems.append)

    assert numbers(report) == (2, 1, 0, 1, 1)
    assert [(one.at, one.code) for one in problems] == [("E-CART:USER_ID:7", code)]
    assert not Cart("7", client).get().exists
    assert client.hlen("E-CART:USER_ID:7") == 2


def test_ids_that_cannot_be(client: Any, engine: Engine) -> None:
    """Of carts and of products; other types of value; none of it stops the rest."""
    put_old(client, "x" * 257, {"p": product(1)})
    put_old(client, "7", {" p ": product(1)})
    put_old(client, "8", {"p": product(1)})
    client.hset(b"E-CART:USER_ID:\xff", "p", product(1))
    client.set("E-CART:USER_ID:9", "x")
    client.hset("E-CART:USER_ID:10", b"\xff", product(1))

    report = migrate(engine.url)

    assert numbers(report) == (6, 1, 0, 5, 0)
    assert report.problems.counts == {
        "invalid_cart_id": 2,
        "invalid_sku": 1,
        "wrong_type": 1,
        "broken_product": 1,
    }


def test_ids_and_currency_of_ones_own(client: Any, engine: Engine, engines: Any) -> None:
    """Into another store, under ids as the integrations give users."""
    target = engines.acquire_own("valkey9")
    put_old(client, "7", {"p": product(1)})

    migrate(engine.url, MigrationOptions(write=True, currency="EUR", cart_id="user.{}"), target.url)

    with target.connected() as other:
        cart = Cart("user.7", other).get()
    assert (cart.currency, cart.total_quantity) == ("EUR", 1)
    assert client.keys("ecart:*") == []


def test_a_cluster(engine: Engine) -> None:
    """Old and new keys are on whichever node."""
    with two_primaries(8000) as nodes:
        for number in range(40):
            key = f"E-CART:USER_ID:{number}"
            with opened_nodes(nodes[0].tcp_url) as all_of_them:
                owner = next(node for node in all_of_them if node.owns(key))
                owner.call("HSET", key, "p", product(1.5, 1 + number))

        several = f"redis+cluster://127.0.0.1:{nodes[0].port}"
        report = migrate(several, DELETE)

        assert numbers(report) == (40, 40, 0, 0, 40)
        with closing(RedisStore(several)) as store:
            assert [Cart(n, store).get().total_quantity for n in (0, 39)] == [1, 40]


def test_many(client: Any, engine: Engine) -> None:
    """A thousand carts (in a soak ten thousand), each read back."""
    count = rounds(1000, 10_000)
    for number in range(count):
        put_old(client, str(number), {f"p{n}": product(n + 0.1, 1 + n) for n in range(5)})

    began = time.monotonic()
    report = migrate(engine.url, DELETE)
    seconds = time.monotonic() - began

    assert numbers(report) == (count, count, 0, 0, count)
    assert client.keys("E-CART:*") == []
    assert Cart(count - 1, client).get().subtotal == Decimal("41.5")
    print(f"{count} carts of five products in {seconds:.1f} s, {count / seconds:.0f}/s")
