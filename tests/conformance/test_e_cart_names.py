"""`from ecart.ecart import Cart`: the names of E-Cart 1.0 over the carts of today.

One test for each thing that the package of 2016 got wrong, beside those that name its methods.
"""

from __future__ import annotations

import gc
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import ecart
from ecart import CorruptCartError, StoreUnavailableError
from ecart.ecart import Cart
from ecart.errors import (
    CurrencyMismatchError,
    InvalidAmountError,
    InvalidCartIdError,
    InvalidQuantityError,
    InvalidTtlError,
    QuantityLimitExceededError,
)

if TYPE_CHECKING:
    from ecart import MemoryStore, RedisStore
    from engines import Engine

    Store = MemoryStore | RedisStore


def test_the_example(any_engine: Engine) -> None:
    """What a program written for E-Cart says, with a redis-py client, on each engine."""
    with any_engine.connected() as redis_connection:
        cart = Cart("user-1", redis_connection)  # ttl is optional, default 604800
        cart.add("p1", 10.1, 3, color="red")
        cart.add("p2", "0.005")
        cart.add("p1", 10.1)
        assert cart.count() == 2
        assert cart.quantity() == 5
        assert cart.contains("p1")
        assert cart.total_cost() == Decimal("40.405")  # exact
        assert cart.get_product("p1")["color"] == "red"
        assert set(cart.get()) == {"p1", "p2"}
        other = cart.copy("user-2")
        cart.destroy()
        assert other.count() == 2
        assert cart.quantity() == 0


def test_there_are_twelve_methods() -> None:
    """Exactly those of E-Cart 1.0."""
    public = {name for name in vars(Cart) if not name.startswith("_")}

    assert public == {
        *("add", "remove", "contains", "get_product", "get", "total_cost", "count", "quantity"),
        *("get_ttl", "set_ttl", "destroy", "copy"),
    }


def test_products_are_plain_dicts(store: Store) -> None:
    """`unit_cost` and `quantity`, and whatever else was kept with the product."""
    cart = Cart("u", store)
    assert cart.add("p1", "10.10", 2, color="red", size=None) is True

    product = {"unit_cost": Decimal("10.1"), "quantity": 2, "color": "red", "size": None}
    assert cart.get_product("p1") == product
    assert cart.get() == {"p1": product}
    assert cart.get_product("p2") == {}
    assert cart.get_product("p1")["unit_cost"] * 2 == cart.total_cost()


def test_product_ids_may_be_numbers(store: Store) -> None:
    """As they often are; a number and its text are one product."""
    cart = Cart("u", store)
    cart.add(7, 1)  # type: ignore[arg-type]

    assert cart.contains(7)  # type: ignore[arg-type]
    assert cart.get_product("7")["quantity"] == 1
    assert cart.remove(7)  # type: ignore[arg-type]


def test_extra_data_is_kept_until_given_anew(store: Store) -> None:
    """Adding more of a product without extra data keeps what was there."""
    cart = Cart("u", store)
    cart.add("p1", 1, color="red")
    cart.add("p1", 1)
    assert cart.get_product("p1")["color"] == "red"

    cart.add("p1", 1, size="L")

    assert cart.get_product("p1") == {"unit_cost": 1, "quantity": 3, "size": "L"}


def test_remove_tells_whether_it_was_there(store: Store) -> None:
    """True, then False."""
    cart = Cart("u", store)
    cart.add("p1", 1)

    assert cart.remove("p1") is True
    assert cart.remove("p1") is False
    assert not cart.contains("p1")


def test_destroy_tells_whether_there_was_a_cart(store: Store) -> None:
    """False for none, True for one, False again when it is gone."""
    cart = Cart("u", store)
    assert cart.destroy() is False
    cart.add("p1", 1)

    assert cart.destroy() is True
    assert cart.destroy() is False


def test_ttl_is_reported_as_redis_reports_it(store: Store) -> None:
    """-2 for no cart, -1 for never, else seconds."""
    cart = Cart("u", store)
    assert cart.get_ttl() == -2
    assert cart.set_ttl(100) is False

    cart.add("p1", 1)
    assert cart.set_ttl(100) is True
    assert 99 <= cart.get_ttl() <= 100
    assert cart.set_ttl(None) is True
    assert cart.get_ttl() == -1


def test_carts_are_the_same_carts(store: Store) -> None:
    """Filled through one name, read through the other, both ways."""
    Cart("u", store).add("p1", "1.5", 2, color="red")
    ecart.Cart("u", store).add("p2", unit_price="2", options={"size": "M"})

    lines = ecart.Cart("u", store).get().lines
    assert [(line.sku, line.quantity, line.details) for line in lines] == [
        ("p1", 2, {"color": "red"}),
        ("p2", 1, None),
    ]
    assert Cart("u", store).count() == 2
    assert Cart("u", store).total_cost() == Decimal(5)


def test_garbage_collection_deletes_nothing(store: Store) -> None:
    """In 2016 `__del__` deleted the cart from Redis."""
    Cart("u", store).add("p1", 1)
    gc.collect()

    assert Cart("u", store).count() == 1
    assert not hasattr(Cart, "__del__")
    assert not hasattr(ecart.Cart, "__del__")


def test_a_failed_construction_deletes_nothing(store: Store) -> None:
    """In 2016 a bad second handle took the cart with it."""
    Cart("u", store).add("p1", 1)

    with pytest.raises(InvalidTtlError):
        Cart("u", store, ttl=-1)
    gc.collect()

    assert Cart("u", store).count() == 1


@pytest.mark.parametrize("ttl", [60, 3600])
def test_ttl_is_heeded(store: Store, ttl: int) -> None:
    """In 2016 every cart lived a week whatever was asked for."""
    cart = Cart("u", store, ttl=ttl)
    cart.add("p1", 1)

    assert ttl - 1 <= cart.get_ttl() <= ttl
    assert ttl - 1 <= cart.copy("u2").get_ttl() <= ttl


def test_ttl_is_a_week_by_default(store: Store) -> None:
    """604,800 s, positional or by name."""
    cart = Cart("u", store)
    cart.add("p1", 1)

    assert 604_799 <= cart.get_ttl() <= 604_800


def test_copy_returns_the_copy(store: Store) -> None:
    """In 2016 `copy` raised after it had written."""
    cart = Cart("u", store)
    cart.add("p1", "1.1", 3, color="red")

    other = cart.copy("u2")

    assert isinstance(other, Cart)
    assert other.user_id == "u2"
    assert other.get() == cart.get() == Cart("u2", store).get()


def test_a_copy_goes_its_own_way(store: Store) -> None:
    """Neither follows the other; what the target had stays, the same product is replaced."""
    cart, other = Cart("u", store), Cart("u2", store)
    cart.add("p1", 1, 3)
    other.add("p1", 2, 5)
    other.add("p2", 1)

    copy = cart.copy("u2")
    cart.remove("p1")

    assert {name: product["quantity"] for name, product in copy.get().items()} == {
        "p1": 3,
        "p2": 1,
    }
    assert copy.total_cost() == 4
    assert cart.count() == 0


@pytest.mark.parametrize("user_id", ["u", "empty"])
def test_copies_that_change_nothing(store: Store, user_id: str) -> None:
    """Of a cart onto itself, and of nothing onto something."""
    Cart("u", store).add("p1", 1, 3)

    Cart(user_id, store).copy("u")

    assert Cart("u", store).quantity() == 3


def test_a_copy_twice_is_the_same_copy(store: Store) -> None:
    """Lines are replaced, not added up."""
    cart = Cart("u", store)
    cart.add("p1", 1, 3)

    cart.copy("u2")

    assert cart.copy("u2").quantity() == 3


def test_a_copy_into_another_currency_is_refused(store: Store) -> None:
    """And changes nothing."""
    Cart("u", store).add("p1", 1)
    ecart.Cart("u2", store, currency="EUR").add("p2", unit_price=1)

    with pytest.raises(CurrencyMismatchError):
        Cart("u", store).copy("u2")

    assert set(Cart("u2", store).get()) == {"p2"}


def test_an_empty_cart_has_no_units(store: Store) -> None:
    """In 2016 `quantity()` of an empty cart raised."""
    cart = Cart("u", store)

    assert (cart.quantity(), cart.count(), cart.total_cost(), cart.get()) == (0, 0, 0, {})


def test_a_second_handle_sees_the_cart(store: Store) -> None:
    """In 2016 it saw an empty one."""
    Cart("u", store).add("p1", 1)

    second = Cart("u", store)

    assert second.contains("p1")
    assert (second.count(), second.quantity(), second.total_cost()) == (1, 1, 1)


def test_user_0_has_a_cart(store: Store) -> None:
    """In 2016 `user_id=0` was refused."""
    Cart(0, store).add("p1", 1)

    assert Cart(0, store).count() == Cart("0", store).count() == 1
    assert repr(Cart(0, store)) == "Cart(0)"


def test_floats_add_up(store: Store) -> None:
    """In 2016 three times 8.1 was 24.299999999999997."""
    cart = Cart("u", store)
    cart.add("p1", 8.1, 3)

    assert cart.total_cost() == Decimal("24.3")
    assert str(cart.total_cost()) == "24.3"


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1, "-0.01", "NaN", True])
def test_amounts_that_are_none_are_refused(store: Store, cost: Any) -> None:
    """In 2016 NaN and negative amounts were accepted."""
    with pytest.raises(InvalidAmountError):
        Cart("u", store).add("p1", cost)

    assert Cart("u", store).count() == 0


def test_failures_are_distinguished(store: Store) -> None:
    """In 2016 every failure was one exception class."""
    cart = Cart("u", store)

    with pytest.raises(InvalidCartIdError):
        Cart("", store)
    with pytest.raises(InvalidQuantityError):
        cart.add("p1", 1, -1)
    with pytest.raises(InvalidQuantityError) as error:
        cart.add("p1", 1, "2")  # type: ignore[arg-type]
    assert str(error.value) == "a quantity is a whole number, 1 or more"
    with pytest.raises(QuantityLimitExceededError):
        cart.add("p1", 1, 10_000)
    with pytest.raises(TypeError):
        Cart("u", 5)
    assert not issubclass(StoreUnavailableError, CorruptCartError)


def test_an_add_is_one_round_trip(engine: Engine) -> None:
    """In 2016 it took three."""
    with engine.connected() as client:
        counting = Counting(client)
        cart = Cart("u", counting)
        cart.add("p1", 1)  # brings the script along the first time
        counting.calls = 0

        cart.add("p1", 1)

        assert counting.calls == 1


class Counting:
    """A client is whatever has `execute_command`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        return self._client.execute_command(*args, **options)
