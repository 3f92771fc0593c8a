"""Every integration of the HTTP contract, each test written once for all of them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from clients import ALL, Setup, Shop, Shopper
from ecart import MemoryStore, RedisStore
from engines import Engine, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecart.store import Store


@pytest.fixture(params=ALL)
def shop_class(request: pytest.FixtureRequest) -> type[Shop]:
    """The adapter of each integration in turn."""
    module, name, package = request.param
    if importlib.util.find_spec(package) is None:
        missing(f"no {package}: pip install {package}")
    found: type[Shop] = getattr(importlib.import_module(f"clients.{module}"), name)
    return found


@pytest.fixture
def make_shop(shop_class: type[Shop], engine: Engine) -> Iterator[Callable[..., Shop]]:
    """Makes deployments on one engine; options are those of `Setup`."""
    made: list[Shop] = []

    def make(**options: Any) -> Shop:
        made.append(shop_class(Setup(**{"url": engine.url, **options})))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """A deployment with the sample catalog."""
    return make_shop()


@pytest.fixture
def shopper(shop: Shop) -> Shopper:
    """A client that has never been here."""
    return shop.shopper()


@pytest.fixture
def client(shopper: Shopper) -> Shopper:
    """`shopper`, under the name that the first test a user writes gives it."""
    return shopper


@pytest.fixture
def apple(shopper: Shopper) -> dict[str, Any]:
    """The cart of `shopper`, who has put one apple in."""
    answer = shopper.post("/cart/items", json={"sku": "apple"})
    cart: dict[str, Any] = answer.json
    return cart


@pytest.fixture(params=["memory", "engine"])
def store(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Store]:
    """The memory's, and one on an engine: for what is between a host and its store."""
    if request.param == "memory":
        yield MemoryStore()
    else:
        made = RedisStore(engine.url)
        yield made
        made.close()
