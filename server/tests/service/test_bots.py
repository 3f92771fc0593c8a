"""Robots that fill the store: what they leave is small, soon gone, and limited.

ECART_SOAK=1 python -m pytest -s server/tests/service/test_bots.py          # 100,000 of each
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from clients import Answer, Sent, Setup
from clients.asgi import ask
from clients.service import ServiceShop
from ecart.http import HttpSettings
from ecart_server.app.application import create_app
from ecart_server.rate_limits import Limits, Rate
from ecart_server.settings import ServiceSettings, StoreSettings
from faults.soak import TIMEOUT, rounds
from serving import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecart_server.app.application import Service
    from engines import Engine

ROBOTS = rounds(500, 100_000)
FIRST_TTL = rounds(2, 120)
AT_ONCE = 50
ADD = Sent(
    method="POST",
    target="/cart/items",
    headers=(("host", "shop.test"), ("content-type", "application/json")),
    pieces=(b'{"sku":"apple"}',),
)

pytestmark = pytest.mark.timeout(TIMEOUT)


class OpenShop(ServiceShop):
    """The service with early ends alone."""

    limits: ClassVar[Limits | None] = None

    @classmethod
    def build(cls, setup: Setup, store: Any) -> Service:
        settings = ServiceSettings(
            secrets=setup.secrets,
            store=StoreSettings(url=setup.url),
            http=HttpSettings(first_ttl_seconds=setup.first_ttl),
            limits=cls.limits,
        )
        return create_app(settings)


class LimitedShop(OpenShop):
    """With limits for who comes without a session, too."""

    limits = Limits(new_sessions=Rate(10, 3600), counts_loopback=True)


@pytest.fixture
def shops() -> Iterator[list[OpenShop]]:
    made: list[OpenShop] = []
    yield made
    for shop in made:
        shop.close()


async def robots(app: Any, number: int) -> list[Answer]:
    """The last answers to so many changes, each without a session."""
    answers: list[Answer] = []
    for _ in range(0, number, AT_ONCE):
        answers = await asyncio.gather(*(ask(app, ADD) for _ in range(AT_ONCE)))
    return answers


def told(engine: Engine) -> dict[str, int]:
    """What an engine says of itself: carts, bytes, and changes of its data."""
    with engine.connected() as client:
        return {
            "carts": sum(1 for _ in client.scan_iter("*:cart:*", count=10_000)),
            "bytes": client.info("memory")["used_memory"],
            "writes": client.info("persistence")["rdb_changes_since_last_save"],
        }


def test_what_robots_leave_is_gone_soon(own_engine: Engine, shops: list[OpenShop]) -> None:
    """A cart each, of some hundred bytes; none is left when the early end has come."""
    shops.append(OpenShop(Setup(url=own_engine.url, first_ttl=FIRST_TTL)))
    empty = told(own_engine)

    answers = shops[0].wait_for(robots(shops[0].app, ROBOTS))
    full = told(own_engine)
    eventually(lambda: told(own_engine)["carts"] == 0, FIRST_TTL + 30)
    after = told(own_engine)

    assert {answer.status for answer in answers} == {200}
    assert full["carts"] == ROBOTS
    per_cart = (full["bytes"] - empty["bytes"]) / ROBOTS
    left = (after["bytes"] - empty["bytes"]) / ROBOTS
    print(f"{ROBOTS} robots: {per_cart:.0f} bytes each, index included; {left:.0f} when gone")
    assert full["bytes"] - empty["bytes"] < 1000 * ROBOTS + 1_000_000


def test_who_is_refused_leaves_nothing(own_engine: Engine, shops: list[OpenShop]) -> None:
    """The engine hears of ten, and of no other; the refusals are small."""
    shops.append(LimitedShop(Setup(url=own_engine.url, first_ttl=3600)))
    shops[0].wait_for(robots(shops[0].app, AT_ONCE))
    before = told(own_engine)

    answers = shops[0].wait_for(robots(shops[0].app, ROBOTS))

    assert {(answer.status, answer.code) for answer in answers} == {(429, "rate_limited")}
    assert max(len(answer.body) for answer in answers) < 200
    assert before["carts"] == 10
    after = told(own_engine)
    assert (after["carts"], after["writes"]) == (10, before["writes"])
    print(f"{ROBOTS} robots refused: {after['bytes'] - before['bytes']} bytes more in the engine")
