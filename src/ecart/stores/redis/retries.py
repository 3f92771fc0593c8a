"""Executes one operation: send, classify failures, retry under the same id until the deadline.

Every attempt of a change carries the same deduplication id (see `deduplication`), so a retry is
always safe: whatever attempts reached the engine, the change is applied once. What differs is what
may be concluded when time runs out. Failures are of four classes, which no code may blur:

- **not executed**: refused, or the engine replied that it did not run it. Retried; at the
  deadline it is `StoreUnavailableError`: the change was not applied.
- **unknown**: sent, and no reply. Retried; if that never succeeds, it is `OutcomeUnknownError` with
  the id by which the caller can repeat or resolve the change. One unknown attempt makes the whole
  outcome unknown, however the later ones failed.
- **refused**: the script replied with a refusal. Final, nothing was changed.
- **corrupt**: something else is under the key. Final, and never overwritten.

Pauses between attempts grow from 10 to 250 ms, with jitter so that callers do not retry in step. A
script that the engine does not know is sent as text at once (`NOSCRIPT`). A change that must be
durable is confirmed by a command behind it in the same packet (see `durability`); an attempt that
is not confirmed is retried like one without a reply, and its duplicate is confirmed in its place.

All of this is a generator that yields two kinds of step, `SendStep` and `WaitStep`. The stores run
it: their transports know how to send, with or without asyncio.
"""

from __future__ import annotations

import random
import time
from typing import Any, Protocol

import msgspec
from msgspec.structs import force_setattr

from ecart.errors import (
    CorruptCartError,
    OutcomeUnknownError,
    SessionEndedError,
    StoreUnavailableError,
)
from ecart.flows import Flow
from ecart.operations import Change, EndSession, Operation
from ecart.stores.redis.clients import REPLY_TIMEOUT
from ecart.stores.redis.deduplication import acquire_lane, release_lane
from ecart.stores.redis.durability import Durability
from ecart.stores.redis.failures import Failure, classify, reason_of
from ecart.stores.redis.index import Index
from ecart.stores.redis.keys import Keyspace, key_of_cart, key_of_ended_session
from ecart.stores.redis.operations import (
    APPLIED,
    EPOCH_UNUSED,
    ScriptCall,
    build_call,
    mark_of,
    read_change,
)
from ecart.stores.redis.reads import NEEDS_MORE, READS
from ecart.stores.redis.transport.wire import Command

DEADLINE = 5.0
"""Seconds after which no further attempt begins."""

SHORTEST_ATTEMPT = 0.05
"""Seconds that an attempt may always take, even at the deadline."""

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25


class SendStep(msgspec.Struct, frozen=True):
    """A step that sends commands for a key and returns their replies, undecoded.

    `seconds` are left until the deadline. `confirm` is sent behind the command over the same
    connection. `piggyback` is sent in the same packet, best effort: replies are discarded.
    """

    key: str
    command: Command
    seconds: float
    confirm: Command | None = None
    piggyback: tuple[Command, ...] = ()

    @property
    def commands(self) -> tuple[Command, ...]:
        """All commands in their order: the command, what rides along, the confirmation."""
        confirm = () if self.confirm is None else (self.confirm,)
        return (self.command, *self.piggyback, *confirm)


class WaitStep(msgspec.Struct, frozen=True):
    """A step that waits for so many seconds."""

    seconds: float


class Observer(Protocol):
    """Notified of failed attempts, including those that a retry recovered."""

    def failed(self, failure: Failure, /) -> None:
        """An attempt failed."""
        ...

    def repeats(self) -> None:
        """The operation is retried, after a pause."""
        ...


class Execution(msgspec.Struct, frozen=True):
    """How a store executes operations.

    No attempt begins later than `deadline` seconds after the first; nor does it last longer, if
    the store opened the client of a single server. `client_retries`: the client may retry by
    itself, so a refused connection does not prove that nothing was sent. `durability` is what must
    be confirmed before a change counts as done. `index` is where activity is noted, if anywhere.
    """

    keys: Keyspace
    deadline: float
    client_retries: bool
    durability: Durability | None = None
    index: Index | None = None
    observer: Observer | None = None

    first_attempt: float = 0.0
    """Seconds that the first attempt may take; they follow from the deadline."""

    def __post_init__(self) -> None:
        force_setattr(self, "first_attempt", max(self.deadline, SHORTEST_ATTEMPT))

    @property
    def reply_timeout(self) -> float:
        """Seconds to wait for a reply. A confirmation takes its time on purpose."""
        return REPLY_TIMEOUT if self.durability else min(REPLY_TIMEOUT, self.first_attempt)


def execute(execution: Execution, cart_id: str, operation: Operation[Any]) -> Flow[Any]:
    """The flow that executes an operation and returns its result."""
    began = time.monotonic()
    key = key_of_cart(execution.keys.prefix, execution.keys.partitions, cart_id)
    if isinstance(operation, EndSession):
        ended = key_of_ended_session(key, operation.ended_id)
        command = ("SET", ended, "1", "PX", operation.life_ms)
        yield from _ask(execution, _Attempts(execution, began), key, command)
        return None
    if not isinstance(operation, Change):
        return (yield from _execute_read(execution, key, cart_id, operation, began))
    index, lane = execution.index, acquire_lane(key)
    call = build_call(key, operation, lane)
    piggyback = () if index is None else index.commands(key, call.index_effect)
    try:
        reply = yield from _call_until_answered(execution, key, call, piggyback, began)
    except BaseException as error:
        if index is not None:
            index.forget(key)
        # Any other error leaves the outcome open, and the lane is retired with its number.
        if isinstance(error, StoreUnavailableError | CorruptCartError):
            release_lane(lane)
        raise
    mark = mark_of(reply)
    if mark != EPOCH_UNUSED:
        lane.draw_epoch()
    release_lane(lane)
    return read_change(key, cart_id, operation, mark, reply)


def _call_until_answered(
    execution: Execution, key: str, call: ScriptCall, piggyback: tuple[Command, ...], began: float
) -> Flow[Any]:
    attempts: _Attempts | None = None
    command, left, durability = call.by_sha, execution.first_attempt, execution.durability
    while True:
        try:
            confirm = None if durability is None else durability.command(left)
            replies = yield SendStep(key, command, left, confirm, piggyback)
            if durability is not None and mark_of(replies[0]) in APPLIED:
                shortfall = durability.shortfall(replies[-1])
                if shortfall is not None:
                    raise UnconfirmedError(shortfall)
            return replies[0]
        except Exception as error:
            failed = error
        attempts = attempts or _Attempts(execution, began)
        failure = attempts.record(failed, key)
        if failure is Failure.NO_SCRIPT:
            command = call.by_text
        elif failure is not Failure.DENIED and not attempts.are_over():
            yield WaitStep(attempts.next_pause())
        elif attempts.may_have_run:
            raise OutcomeUnknownError(
                f"no answer within {execution.deadline} s: {failed}", call.operation_id
            ) from failed
        else:
            raise StoreUnavailableError(reason_of(failed)) from failed
        left = attempts.left()


class UnconfirmedError(ConnectionError):
    """A change is applied on its primary, and not yet as durable as it has to be."""


def _execute_read(
    execution: Execution, key: str, cart_id: str, operation: Operation[Any], began: float
) -> Flow[Any]:
    read = READS.get(type(operation))
    if read is None:
        raise TypeError(f"{type(operation).__name__} is not an operation that this store knows")
    attempts, command = _Attempts(execution, began), read.command(key, operation)
    has_ended = None
    if operation.session_id:
        has_ended = ("EXISTS", key_of_ended_session(key, operation.session_id))
    reply = yield from _ask(execution, attempts, key, command, has_ended)
    if not read.finds_cart(reply):
        # Either there is no cart, or another hash is under its key. `EXISTS` decides; the command
        # is sent again, since the cart may have been created in between.
        for _ in range(2):
            if not (yield from _ask(execution, attempts, key, ("EXISTS", key))):
                break
            reply = yield from _ask(execution, attempts, key, command)
            if read.finds_cart(reply):
                break
        else:
            raise CorruptCartError(key, "m")
    result = read.result(key, cart_id, operation, reply)
    if result is NEEDS_MORE:
        result = yield from _ask(execution, attempts, key, (read.rest, key))
    return result


def _ask(
    execution: Execution,
    attempts: _Attempts,
    key: str,
    command: Command,
    has_ended: Command | None = None,
) -> Flow[Any]:
    """The reply to a command that can be repeated, retried until the deadline.

    `has_ended` is sent behind it, in the same packet: a reply of 1 refuses the command's.
    """
    attempts.reset_pause()
    left = execution.first_attempt
    while True:
        try:
            replies = yield SendStep(key, command, left, has_ended)
        except Exception as error:
            failed = error
        else:
            if has_ended is not None and replies[-1]:
                raise SessionEndedError
            return replies[0]
        failure = attempts.record(failed, key)
        if failure is Failure.DENIED or attempts.are_over():
            raise StoreUnavailableError(reason_of(failed)) from failed
        yield WaitStep(attempts.next_pause())
        left = attempts.left()


class _Attempts:
    """The failed attempts of one operation: what they leave open, and when the next may begin."""

    def __init__(self, execution: Execution, began: float) -> None:
        self.may_have_run = False
        self._execution = execution
        self._end = began + execution.deadline
        self._pause = _FIRST_PAUSE

    def record(self, error: Exception, key: str) -> Failure:
        """Classifies the error; raises it, or `CorruptCartError`, if it is no failed attempt."""
        failure = classify(error)
        if failure is Failure.NOT_OURS:
            raise error
        if failure is Failure.WRONG_TYPE:
            raise CorruptCartError(key, "type") from error
        retried = failure is Failure.NOT_CONNECTED and self._execution.client_retries
        self.may_have_run |= failure is Failure.UNKNOWN or retried
        if self._execution.observer is not None:
            self._execution.observer.failed(failure)
        return failure

    def left(self) -> float:
        """Seconds until the deadline, and at least those of the shortest attempt."""
        return max(self._end - time.monotonic(), SHORTEST_ATTEMPT)

    def are_over(self) -> bool:
        """Whether the deadline comes before another attempt could be made."""
        return time.monotonic() + self._pause + SHORTEST_ATTEMPT >= self._end

    def next_pause(self) -> float:
        """Seconds to wait before the next attempt."""
        if self._execution.observer is not None:
            self._execution.observer.repeats()
        pause = self._pause
        self._pause = min(2 * pause, _LONGEST_PAUSE)
        return pause * random.uniform(0.5, 1.0)

    def reset_pause(self) -> None:
        """Begins with the shortest pause again, for the next command of the same operation."""
        self._pause = _FIRST_PAUSE
