"""Flows say what they wait for; the drivers do it, and throw what goes wrong back into the flow."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from ecart import AsyncMemoryStore, LineItem, MemoryStore, Rules, flows
from ecart.errors import LineNotFoundError
from ecart.operations import AddItem, GetCart, RemoveLine
from ecart.store import run, run_async, steps_on


def careful() -> Generator[str, int, list[object]]:
    """Two steps, of which the second may fail."""
    first = yield "first"
    try:
        second: object = yield "second"
    except ValueError as error:
        second = f"told: {error}"
    third = yield "third"
    return [first, second, third]


def failing_second(step: str) -> int:
    if step == "second":
        raise ValueError("no")
    return len(step)


async def failing_second_later(step: str) -> int:
    return failing_second(step)


async def test_an_error_is_thrown_into_the_flow() -> None:
    """It may handle it and go on; sync and asyncio alike."""
    assert run(careful(), failing_second) == [5, "told: no", 5]
    assert await run_async(careful(), failing_second_later) == [5, "told: no", 5]


async def test_an_unhandled_error_reaches_the_caller() -> None:
    """With the flow ended, its `finally` done."""
    ended = []

    def flow() -> Generator[str, int, None]:
        try:
            yield "second"
        finally:
            ended.append(True)

    with pytest.raises(ValueError, match="no"):
        run(flow(), failing_second)
    with pytest.raises(ValueError, match="no"):
        await run_async(flow(), failing_second_later)
    assert ended == [True, True]


async def test_a_flow_without_steps_has_a_result() -> None:
    """The drivers do nothing but return it."""

    def flow() -> Generator[Any, Any, int]:
        return 7
        yield

    assert run(flow(), failing_second) == 7
    assert await run_async(flow(), failing_second_later) == 7


def test_a_refusal_is_thrown_at_the_step() -> None:
    """So that a flow of several operations can answer for the one that failed."""

    def flow() -> flows.Flow[str]:
        yield from flows.perform("c", AddItem(sku="apple"))
        try:
            yield from flows.perform("c", RemoveLine(line_id="pear"))
        except LineNotFoundError as error:
            return error.line_id
        return ""

    assert run(flow(), steps_on(MemoryStore())) == "pear"


async def test_copying_is_one_read_and_one_write() -> None:
    """Lines, prices, options and details; and nothing onto itself."""
    store = MemoryStore()
    store.execute("a", AddItem(sku="apple", unit_price="1.5", quantity=3, details={"k": 1}))  # type: ignore[arg-type]
    steps = []

    def do(step: flows.Perform) -> Any:
        steps.append(type(step.operation).__name__)
        return store.execute(step.cart_id, step.operation)

    assert run(flows.copy("a", "a", Rules()), do) is None
    assert steps == []
    run(flows.copy("a", "b", Rules()), do)
    assert steps == ["GetCart", "PutLines"]
    await run_async(flows.copy("a", "c", Rules()), steps_on(AsyncMemoryStore(store)))

    line = store.execute("a", GetCart()).line("apple")
    assert isinstance(line, LineItem)
    assert store.execute("b", GetCart()).lines == store.execute("c", GetCart()).lines == (line,)
