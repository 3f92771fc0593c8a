"""What needs several steps, written once for sync and async: generators that yield their steps.

A flow yields steps and is sent their results; an error of a step is thrown into it. Nothing here
does I/O; the drivers `run` and `run_async` in `ecart.store` do what the steps say.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import msgspec

from ecart.catalog import Products
from ecart.model import CartChange
from ecart.operations import GetCart, GetLine, GetSummary, GetTtl, Operation, Purge, PutLines, Rules

Result = TypeVar("Result")
Flow = Generator[Any, Any, Result]


class Perform(msgspec.Struct, frozen=True):
    """The step that has the store execute an operation."""

    cart_id: str
    operation: Operation[Any]


def perform(cart_id: str, operation: Operation[Result]) -> Flow[Result]:
    """Yields the step and returns the operation's result, typed."""
    result: Result = yield Perform(cart_id, operation)
    return result


def has_line(cart_id: str, line: GetLine) -> Flow[bool]:
    """Whether the cart has the line."""
    return (yield from perform(cart_id, line)) is not None


def seconds_to_live(cart_id: str, rules: Rules) -> Flow[int | None]:
    """Whole seconds until the cart expires, rounded up; 0 for no cart, None for never."""
    milliseconds = yield from perform(cart_id, GetTtl(rules=rules))
    if milliseconds == -1:
        return None
    return -(-max(milliseconds, 0) // 1000)


def purge(cart_id: str, **arguments: Any) -> Flow[CartChange]:
    """Erases the cart that is there now: by its epoch, so that a repeat spares the next cart."""
    summary = yield from perform(cart_id, GetSummary(rules=arguments["rules"]))
    return (yield from perform(cart_id, Purge(epoch=summary.epoch, **arguments)))


def copy(source_id: str, target_id: str, rules: Rules) -> Flow[CartChange | None]:
    """Puts the source's lines into the target: one read, one write. Onto itself: nothing."""
    if source_id == target_id:
        return None
    source = yield from perform(source_id, GetCart(rules=rules))
    put = PutLines(lines=source.lines, currency=source.currency, rules=rules)
    return (yield from perform(target_id, put))


class Quote(msgspec.Struct, frozen=True):
    """The step that has the catalog look up SKUs."""

    skus: tuple[str, ...]


def quote(*skus: str) -> Flow[Products]:
    """Yields the step and returns the products of those SKUs that are sold."""
    products: Products = yield Quote(skus)
    return products
