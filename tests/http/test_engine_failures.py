"""When the engine does not answer: the caller learns what is known, in time, and loses nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from clients import INTEGRATIONS, SERVICE
from clients.examples import CHANGES, READS

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Answer, Shop, Shopper
    from engines import Engine

PATIENCE = 0.6

integrations = pytest.mark.parametrize("shop_class", INTEGRATIONS, indirect=True)


def of_routes(*routes: tuple[str, str, dict[str, Any]]) -> Any:
    names = [f"{method} {target}" for method, target, _ in routes]
    return pytest.mark.parametrize(("method", "target", "options"), routes, ids=names)


@pytest.fixture
def shopper(make_shop: Callable[..., Shop], own_engine: Engine) -> Shopper:
    """A client of a shop with little patience, on an engine of its own."""
    return make_shop(url=own_engine.url, patience=PATIENCE).shopper()


def assert_store_unavailable(answer: Answer) -> None:
    assert (answer.status, answer.code) == (503, "store_unavailable")
    assert answer.headers["retry-after"].isdecimal()
    assert answer.json["detail"] == ("the store cannot be reached; nothing was changed, try again")


@integrations
@of_routes(*READS, *CHANGES)
def test_without_an_engine(
    shopper: Shopper,
    apple: dict[str, Any],
    own_engine: Engine,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """503 `store_unavailable` within the deadline; with the engine back, all works as before."""
    own_engine.kill()
    shopper.get("/cart")  # from here on it is known that the connection is lost
    began = time.monotonic()

    answer = shopper.request(method, target, **options)

    assert time.monotonic() - began < 4 * PATIENCE
    assert_store_unavailable(answer)
    own_engine.start()
    assert shopper.request(method, target, **options).status in (200, 404)


@integrations
@of_routes(*CHANGES)
def test_a_change_that_a_hung_engine_may_have_done(
    shopper: Shopper,
    apple: dict[str, Any],
    own_engine: Engine,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """504 `outcome_unknown` within the deadline; the repeat under its key finds out."""
    options = {**options, "headers": {"Idempotency-Key": "k"}}
    began = time.monotonic()

    with own_engine.frozen():
        answer = shopper.request(method, target, **options)

    assert time.monotonic() - began < 4 * PATIENCE
    assert (answer.status, answer.code) == (504, "outcome_unknown")
    assert answer.json["detail"] == (
        "no answer from the store; repeat with the same Idempotency-Key"
    )
    shown = shopper.get("/cart").json["version"]
    again = shopper.request(method, target, **options)
    assert again.status == 200
    assert again.json["version"] == apple["version"] + 1
    assert ("idempotency-replayed" in again.headers) is (shown == again.json["version"])


@integrations
@of_routes(*READS)
def test_reading_from_a_hung_engine(
    shopper: Shopper,
    apple: dict[str, Any],
    own_engine: Engine,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """503 `store_unavailable`: a read leaves nothing open."""
    with own_engine.frozen():
        answer = shopper.request(method, target, **options)

    assert_store_unavailable(answer)


@integrations
def test_the_first_change_of_a_session_keeps_it_when_the_answer_was_lost(
    shopper: Shopper, own_engine: Engine
) -> None:
    """A newcomer whose first add got 504 repeats it in the same session, and it counts once."""
    options = {"json": {"sku": "apple"}, "headers": {"Idempotency-Key": "k"}}

    with own_engine.frozen():
        lost = shopper.post("/cart/items", **options)
    again = shopper.post("/cart/items", **options)

    assert lost.status == 504
    assert len(lost.set_cookies) == 1
    assert (again.set_cookies, again.json["total_quantity"]) == ((), 1)


@integrations
def test_views_of_the_app_are_served_without_an_engine(
    shopper: Shopper, own_engine: Engine
) -> None:
    """What needs no cart does not wait for one."""
    own_engine.kill()

    answer = shopper.get("/hello")

    assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.foreign_data
@pytest.mark.parametrize("shop_class", [*INTEGRATIONS, SERVICE], indirect=True)
def test_a_cart_that_cannot_be_read(make_shop: Callable[..., Shop], engine: Engine) -> None:
    """500 `corrupt_cart` on every route: what is there is neither shown, changed nor repaired."""
    shopper = make_shop().shopper()
    shopper.post("/cart/items", json={"sku": "apple"})
    with engine.connected() as client:
        (key,) = client.keys("*:cart:*")
        client.hset(key, "c", "nonsense")
        before = client.hgetall(key)
        answers = [shopper.request(m, t, **options) for m, t, options in (*READS, *CHANGES)]
        after = client.hgetall(key)

    assert {(a.status, a.code) for a in answers} == {(500, "corrupt_cart")}
    assert {a.json["detail"] for a in answers} == {
        "what is stored for this cart cannot be read; it was left alone"
    }
    assert after == before


@pytest.mark.parametrize("shop_class", [SERVICE], indirect=True)
def test_the_service_tells_whether_it_is_ready(
    make_shop: Callable[..., Shop], own_engine: Engine
) -> None:
    """`/readyz` is 200 or 503; `/healthz` tells of the process alone, and stays 200."""
    shopper = make_shop(url=own_engine.url).shopper()

    ready = shopper.get("/readyz")
    own_engine.kill()
    not_ready = shopper.get("/readyz")
    alive = shopper.get("/healthz")

    assert (ready.status, ready.json) == (200, {"status": "ready"})
    assert_store_unavailable(not_ready)
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    assert ready.set_cookies == not_ready.set_cookies == alive.set_cookies == ()
