"""Flows taken one step at a time: crashed at any step, or taken in turns drawn from a seed.

A crash is a flow that is dropped where it stands, before or after its step took effect, as a
process is that dies there. Turns are what several processes do to one store, one step after the
other, in an order that the same seed gives again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis

from ecart.errors import EcartError
from ecart.flows import Perform
from ecart.stores.redis.retries import Execution, SendStep, WaitStep, execute

if TYPE_CHECKING:
    import random

    from ecart.flows import Flow
    from ecart.stores.redis.keys import Keyspace

Do = Callable[[Any], Any]


class Stepped:
    """A flow, taken step by step. It ends with a result or with an error of ecart's."""

    def __init__(self, flow: Flow[Any], do: Do) -> None:
        self._flow = flow
        self._do = do
        self._step: Any = None
        self.has_ended = False
        self.result: Any = None
        self.error: EcartError | None = None
        self._resume(lambda: next(flow))

    def advance(self) -> None:
        """Does the step that the flow waits for and lets it go on to the next."""
        try:
            result = self._do(self._step)
        except Exception as error:
            failure = error
            self._resume(lambda: self._flow.throw(failure))
        else:
            self._resume(lambda: self._flow.send(result))

    def finish(self) -> None:
        """Takes the steps that are left."""
        while not self.has_ended:
            self.advance()

    def crash(self, *, took_effect: bool) -> None:
        """Drops the flow before its step was done, or after; nobody hears of the result."""
        if took_effect:
            with contextlib.suppress(EcartError):
                self._do(self._step)
        self._flow.close()
        self.has_ended = True

    def _resume(self, go_on: Callable[[], Any]) -> None:
        try:
            self._step = go_on()
        except StopIteration as end:
            self.has_ended, self.result = True, end.value
        except EcartError as error:
            self.has_ended, self.error = True, error


@dataclass(frozen=True)
class Point:
    """Where a flow crashes: at which of its steps (from 0), and on which side of it."""

    step: int
    took_effect: bool

    def __str__(self) -> str:
        return f"{'after' if self.took_effect else 'before'}-{self.step}"


def points(steps: int) -> list[Point]:
    """Both sides of every step of a flow."""
    return [Point(step, side) for step in range(steps) for side in (False, True)]


def crash(flow: Flow[Any], do: Do, point: Point) -> bool:
    """Runs a flow up to a point and drops it there. False if it ended before."""
    running = Stepped(flow, do)
    for _ in range(point.step):
        if not running.has_ended:
            running.advance()
    if running.has_ended:
        return False
    running.crash(took_effect=point.took_effect)
    return True


def in_turns(chance: random.Random, do: Do, flows: Sequence[Flow[Any]]) -> list[Stepped]:
    """Runs flows at once: whose step is next is drawn, until all have ended."""
    running = [Stepped(flow, do) for flow in flows]
    while waiting := [flow for flow in running if not flow.has_ended]:
        chance.choice(waiting).advance()
    return running


def on_the_wire(flow: Flow[Any], keys: Keyspace) -> Flow[Any]:
    """The flow in finer steps: the commands that the Redis store sends, and its pauses."""
    execution = Execution(keys, deadline=5.0, client_retries=False)
    try:
        step = next(flow)
        while True:
            assert isinstance(step, Perform)
            try:
                result = yield from execute(execution, step.cart_id, step.operation)
            except Exception as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value


def sending(client: Any, chance: random.Random, lost: float) -> Do:
    """Does the steps of `on_the_wire`; this share of the replies is lost after the effect."""

    def do(step: SendStep | WaitStep) -> Any:
        if isinstance(step, WaitStep):
            return None
        reply = client.execute_command(*step.command, NEVER_DECODE=True)
        if chance.random() < lost:
            raise redis.exceptions.TimeoutError("this reply was lost")
        return [reply]

    return do
