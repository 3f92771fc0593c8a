"""One operation's talk with an engine: what to send, when to repeat, what the outcome means.

Written once, as a flow of two steps, `Send` and `Wait`; the stores say how each is done. The first
attempt they send themselves: a flow is only needed where that does not settle it (decision 42).
"""

from __future__ import annotations

import random
import time
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.structs import force_setattr

from ecart.errors import CorruptCartError, OutcomeUnknownError, StoreUnavailableError
from ecart.flows import Flow
from ecart.model import CartChange
from ecart.operations import Change, Operation
from ecart.stores.redis.clients import REPLY_TIMEOUT
from ecart.stores.redis.commands import Argument, Call, build_call
from ecart.stores.redis.durability import Durability
from ecart.stores.redis.failures import Failure, classify
from ecart.stores.redis.index import Command, Index
from ecart.stores.redis.keys import Keyspace, key_of_cart
from ecart.stores.redis.lanes import Lane, give_lane_back, take_lane
from ecart.stores.redis.reads import MORE, READS, Read
from ecart.stores.redis.replies import MARKS, mark_of, read_change

Result = TypeVar("Result")

DEADLINE = 5.0
"""Seconds after which a failing operation is given up."""

SHORTEST_ATTEMPT = 0.05
"""Seconds that an attempt has, however near the deadline is; also if that is 0."""

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25


class Send(msgspec.Struct, frozen=True):
    """The step that sends a command for a key and returns its reply, undecoded.

    `seconds` are left until the deadline; a store that can, waits no longer. With `ask`, a second
    command goes after it over the same connection, and both replies are returned. `aside` goes
    along if that is easily done, and nobody wants to know what becomes of it.
    """

    key: str
    command: tuple[Argument, ...]
    seconds: float
    ask: tuple[Argument, ...] | None = None
    aside: tuple[tuple[Argument, ...], ...] = ()


class Wait(msgspec.Struct, frozen=True):
    """The step that waits for so many seconds."""

    seconds: float


class Observer(Protocol):
    """Is told of the attempts that callers do not see, because others made them good."""

    def failed(self, failure: Failure, /) -> None:
        """An attempt failed so."""
        ...

    def repeats(self) -> None:
        """It is made again, after a pause."""
        ...


class Terms(msgspec.Struct, frozen=True):
    """How patient an exchange is, and what it may conclude.

    No attempt begins later than `deadline` seconds after the first; nor does it last longer if the
    store opened the client of a single server. `client_repeats` tells that the client retries by
    itself: then a refused connection does not prove that nothing was sent.
    `durability` tells what must be confirmed before a change counts as done. `index` tells which
    carts are to be noted there; without it none is. `observer` is told of failed attempts.
    """

    deadline: float
    client_repeats: bool
    durability: Durability | None = None
    index: Index | None = None
    observer: Observer | None = None
    first_attempt: float = 0.0
    """Seconds that the first attempt has; they follow from the deadline."""

    def __post_init__(self) -> None:
        force_setattr(self, "first_attempt", max(self.deadline, SHORTEST_ATTEMPT))

    @property
    def patience(self) -> float:
        """Seconds that a reply is waited for; a confirmation comes late on purpose."""
        return REPLY_TIMEOUT if self.durability else min(REPLY_TIMEOUT, self.first_attempt)


class Changing(msgspec.Struct, frozen=True):
    """A change under way, on a lane of its own until it has ended for certain.

    Who sends `first` tells how that went: `done`, `broken_off`, or, if it failed, by running the
    `flow` that goes on from there. For nearly all changes the first attempt is the last.
    """

    key: str
    terms: Terms
    cart_id: str
    change: Change
    lane: Lane
    call: Call
    aside: tuple[Command, ...]
    began: float

    @property
    def first(self) -> Send:
        """The first attempt, where nothing is to be confirmed."""
        return Send(self.key, self.call.by_sha, self.terms.first_attempt, None, self.aside)

    def done(self, reply: Any) -> CartChange:
        """The result in the reply that settled the change. What it refuses is raised."""
        if mark_of(reply) != _EPOCH_UNUSED:
            self.lane.draw_epoch()
        give_lane_back(self.lane)
        return read_change(self.key, self.cart_id, self.change, reply)

    def broken_off(self, error: BaseException) -> None:
        """No reply settles it. An open outcome retires the lane, and its number with it."""
        if self.terms.index is not None:
            self.terms.index.not_sent(self.key)
        if isinstance(error, StoreUnavailableError | CorruptCartError):
            give_lane_back(self.lane)

    def flow(self, failed: Exception | None = None) -> Flow[CartChange]:
        """The change from its first attempt, or from where that failed, to its result."""
        try:
            reply = yield from self._settled(failed)
        except BaseException as error:
            self.broken_off(error)
            raise
        return self.done(reply)

    def _settled(self, failed: Exception | None) -> Flow[Any]:
        if failed is None:
            try:
                return (yield from self._sent(self.call.by_sha, self.terms.first_attempt))
            except Exception as error:
                failed = error
        return (yield from self._repeated(failed))

    def _repeated(self, failed: Exception) -> Flow[Any]:
        """Repeats the call, under its number, until it is answered or time is up."""
        call, attempts, command = self.call, _Attempts(self.terms, self.began), self.call.by_sha
        while True:
            failure = attempts.note(failed, self.key)
            if failure is Failure.NO_SCRIPT:
                command = call.by_text
            elif failure is not Failure.DENIED and not attempts.over():
                yield Wait(attempts.next_pause())
            elif attempts.may_have_run:
                raise OutcomeUnknownError(
                    f"not settled within {self.terms.deadline} s: {failed}", call.operation_id
                ) from failed
            else:
                raise StoreUnavailableError(str(failed)) from failed
            try:
                return (yield from self._sent(command, attempts.left()))
            except Exception as error:
                failed = error

    def _sent(self, command: tuple[Argument, ...], left: float) -> Flow[Any]:
        """The reply to a change that is as durable as it has to be, or that was refused."""
        durability = self.terms.durability
        if durability is None:
            return (yield Send(self.key, command, left, None, self.aside))
        asked = Send(self.key, command, left, durability.ask(left), self.aside)
        reply, confirmation = yield asked
        if isinstance(reply, Exception):
            raise reply
        lack = durability.lack(confirmation) if mark_of(reply) in MARKS else None
        if lack is not None:
            raise UnconfirmedError(lack)
        return reply


_EPOCH_UNUSED = b"0"


class UnconfirmedError(ConnectionError):
    """A change that its primary alone has. Sent again, it is known, and confirmed in time."""


class Reading(msgspec.Struct, frozen=True):
    """A read under way. As of a `Changing`, its first attempt is nearly always the last."""

    key: str
    terms: Terms
    cart_id: str
    operation: Operation[Any]
    read: Read
    command: Command
    began: float

    @property
    def first(self) -> Send:
        """The first attempt."""
        return Send(self.key, self.command, self.terms.first_attempt)

    def done(self, reply: Any) -> Any:
        """The result in the reply; MORE where the `flow` has to go on from it."""
        if not self.read.is_settled_by(reply):
            return MORE
        return self.read.result(self.key, self.cart_id, self.operation, reply)

    def broken_off(self, error: BaseException) -> None:
        """Leaves nothing behind."""

    def flow(self, outcome: Any = None) -> Flow[Any]:
        """The read from its first attempt, or from what that brought: an error, or a reply."""
        reply = outcome
        if outcome is None or isinstance(outcome, Exception):
            reply = yield from self._asked(self.command, outcome)
        if not self.read.is_settled_by(reply):
            reply = yield from self._settled(reply)
        result = self.read.result(self.key, self.cart_id, self.operation, reply)
        if result is MORE:
            result = yield from self._asked((self.read.rest, self.key))
        return result

    def _settled(self, reply: Any) -> Flow[Any]:
        """The reply of no cart, which another question tells from a hash of somebody else's.

        It is asked twice: the cart may have been made in between.
        """
        for _ in range(2):
            if not (yield from self._asked(("EXISTS", self.key))):
                return reply
            reply = yield from self._asked(self.command)
            if self.read.is_settled_by(reply):
                return reply
        raise CorruptCartError(self.key, "m")

    def _asked(self, command: Command, failed: Exception | None = None) -> Flow[Any]:
        """The reply to a question, which may have failed once."""
        attempts, left = _Attempts(self.terms, self.began), self.terms.first_attempt
        while True:
            if failed is None:
                try:
                    return (yield Send(self.key, command, left))
                except Exception as error:
                    failed = error
            failure = attempts.note(failed, self.key)
            if failure is Failure.DENIED or attempts.over():
                raise StoreUnavailableError(str(failed)) from failed
            failed = None
            yield Wait(attempts.next_pause())
            left = attempts.left()


def begin(
    keys: Keyspace, terms: Terms, cart_id: str, operation: Operation[Any]
) -> Changing | Reading:
    """An operation that is about to be sent. A change takes a lane, which it has to give back."""
    key, began = key_of_cart(keys.prefix, keys.partitions, cart_id), time.monotonic()
    if not isinstance(operation, Change):
        read = READS.get(type(operation))
        if read is None:
            raise TypeError(f"{type(operation).__name__} is not an operation that this store knows")
        command = read.command(key, operation)
        return Reading(key, terms, cart_id, operation, read, command, began)
    lane = take_lane(key)
    call = build_call(key, operation, lane)
    aside = () if terms.index is None else terms.index.commands(key, operation)
    return Changing(key, terms, cart_id, operation, lane, call, aside, began)


def exchange(keys: Keyspace, terms: Terms, cart_id: str, operation: Operation[Any]) -> Flow[Any]:
    """The flow that executes an operation."""
    return begin(keys, terms, cart_id, operation).flow()


class _Attempts:
    """Those of an exchange that began then; whether one that failed may have been a success."""

    def __init__(self, terms: Terms, began: float) -> None:
        self.may_have_run = False
        self._terms = terms
        self._end = began + terms.deadline
        self._pause = _FIRST_PAUSE

    def note(self, error: Exception, key: str) -> Failure:
        """Classifies the error; raises it, or `CorruptCartError`, if it is not the engine's."""
        failure = classify(error)
        if failure is Failure.NOT_OURS:
            raise error
        if failure is Failure.WRONG_TYPE:
            raise CorruptCartError(key, "type") from error
        repeated = failure is Failure.NOT_CONNECTED and self._terms.client_repeats
        self.may_have_run |= failure is Failure.UNKNOWN or repeated
        if self._terms.observer is not None:
            self._terms.observer.failed(failure)
        return failure

    def left(self) -> float:
        """Seconds until the deadline; enough for an attempt, also where a pause took longer."""
        return max(self._end - time.monotonic(), SHORTEST_ATTEMPT)

    def over(self) -> bool:
        return time.monotonic() + self._pause + SHORTEST_ATTEMPT >= self._end

    def next_pause(self) -> float:
        """Seconds to wait, growing, with jitter so that callers do not come back in step."""
        if self._terms.observer is not None:
            self._terms.observer.repeats()
        pause = self._pause
        self._pause = min(2 * pause, _LONGEST_PAUSE)
        return pause * random.uniform(0.5, 1.0)
