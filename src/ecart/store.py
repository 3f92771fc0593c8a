"""What a store is, and the drivers that run flows on one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from ecart.flows import Flow, Perform
from ecart.operations import Operation

_Result = TypeVar("_Result")


class Store(Protocol):
    """Where carts are kept: it executes one operation on one cart, atomically."""

    def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """The operation's result.

        Raises:
            RefusedError: the cart does not allow it; nothing was changed.
            StoreError: the engine failed; see the class for what is known.
        """
        ...


class AsyncStore(Protocol):
    """`Store` for asyncio."""

    async def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As `Store.execute`."""
        ...


def steps_on(store: Any) -> Callable[[Perform], Any]:
    """How the steps of a flow that only performs operations are done on a store."""
    return lambda step: store.execute(step.cart_id, step.operation)


def run(flow: Flow[_Result], do: Callable[[Any], Any]) -> _Result:
    """Runs a flow, doing each step with `do`; what `do` raises is raised inside the flow."""
    try:
        step = next(flow)
        while True:
            try:
                result = do(step)
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def run_async(flow: Flow[_Result], do: Callable[[Any], Awaitable[Any]]) -> _Result:
    """`run` for steps that are awaited."""
    try:
        step = next(flow)
        while True:
            try:
                result = await do(step)
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
