"""A store whose operations are watched: how long each took, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeVar

from ecart import errors, operations
from ecart.errors import EcartError, RefusedError, StoreError
from ecart.model import CartChange
from ecart.operations import Operation
from ecart.store import AsyncStore
from ecart.stores.redis.failures import Failure
from ecart_server.observability.series import OTHER, Cells, Family, Layout, observe

Result = TypeVar("Result")


class Observer(Protocol):
    """Is told of each operation that has ended."""

    def done(self, operation: Operation[Any], result: Any, seconds: float, /) -> None:
        """It gave this result."""
        ...

    def failed(self, operation: Operation[Any], error: BaseException, seconds: float, /) -> None:
        """It raised this error."""
        ...


class ObservedStore:
    """An `AsyncStore` that tells observers of what another one does."""

    def __init__(self, store: AsyncStore, observers: Sequence[Observer]) -> None:
        self._store = store
        self._done = tuple(observer.done for observer in observers)
        self._failed = tuple(observer.failed for observer in observers)

    async def execute(self, cart_id: str, operation: Operation[Result], /) -> Result:
        """As that of the store behind it."""
        began = perf_counter()
        try:
            result = await self._store.execute(cart_id, operation)
        except BaseException as error:
            seconds = perf_counter() - began
            for failed in self._failed:
                failed(operation, error, seconds)
            raise
        seconds = perf_counter() - began
        for done in self._done:
            done(operation, result, seconds)
        return result


def operation_kinds(kind: type[Operation[Any]] = Operation) -> Iterator[type[Operation[Any]]]:
    """Each operation that a store can be asked for."""
    named = {getattr(operations, name) for name in operations.__all__}
    for below in kind.__subclasses__():
        if not below.__subclasses__() and below in named:
            yield below
        yield from operation_kinds(below)


def error_codes() -> tuple[str, ...]:
    """The codes of all errors with which a store can answer."""
    known = [value for value in vars(errors).values() if isinstance(value, type)]
    return tuple(sorted({e.code for e in known if issubclass(e, RefusedError | StoreError)}))


def code_of(error: BaseException) -> str:
    """The code that says how an operation ended; an error without one is no word of ours."""
    return error.code if isinstance(error, EcartError) else OTHER


OUTCOMES = ("ok", "replayed", *error_codes(), OTHER)

SECONDS = "ecart_operation_seconds"
CONFLICTS = "ecart_conflicts"
REPLAYS = "ecart_replays"
FAILURES = "ecart_store_failures"
RETRIES = "ecart_store_retries"

_ATTEMPTS = {
    Failure.NOT_EXECUTED: "not_executed",
    Failure.NOT_CONNECTED: "not_connected",
    Failure.UNKNOWN: "connection_lost",
    Failure.DENIED: "denied",
    Failure.NO_SCRIPT: "no_script",
}

FAMILIES = (
    Family(
        SECONDS,
        "Seconds that an operation on a cart took in the store, retries included.",
        {
            "operation": tuple(sorted(kind.__name__ for kind in operation_kinds())),
            "outcome": OUTCOMES,
        },
        is_histogram=True,
    ),
    Family(CONFLICTS, "Changes refused because the cart had moved on from the expected version."),
    Family(REPLAYS, "Changes recognised as repeats, and applied once."),
    Family(
        FAILURES,
        "Attempts of the store that failed, by what is known of them.",
        {"kind": tuple(_ATTEMPTS.values())},
    ),
    Family(RETRIES, "Attempts that the store made again after one that failed."),
)


class OperationNumbers:
    """Counts operations; an `Observer`."""

    def __init__(self, layout: Layout, cells: Cells) -> None:
        self._cells = cells
        self._conflicts = layout.places(CONFLICTS)[()]
        self._replays = layout.places(REPLAYS)[()]
        places = layout.places(SECONDS)
        self._places = {
            kind: {outcome: places[kind.__name__, outcome] for outcome in OUTCOMES}
            for kind in operation_kinds()
        }
        self._well = {kind: found["ok"] for kind, found in self._places.items()}

    def done(self, operation: Operation[Any], result: Any, seconds: float, /) -> None:
        """Counts what went well."""
        if isinstance(result, CartChange) and result.replayed:
            self._cells[self._replays] += 1.0
            self._count(operation, "replayed", seconds)
            return
        place = self._well.get(type(operation))
        if place is not None:
            observe(self._cells, place, seconds)

    def failed(self, operation: Operation[Any], error: BaseException, seconds: float, /) -> None:
        """Counts what did not."""
        if isinstance(error, errors.VersionConflictError):
            self._cells[self._conflicts] += 1.0
        self._count(operation, code_of(error), seconds)

    def _count(self, operation: Operation[Any], outcome: str, seconds: float) -> None:
        places = self._places.get(type(operation))
        if places is not None:
            observe(self._cells, places.get(outcome, places[OTHER]), seconds)


class AttemptNumbers:
    """Counts the attempts that failed: what callers of a store do not see, if it ends well."""

    def __init__(self, layout: Layout, cells: Cells) -> None:
        self._cells = cells
        self._retries = layout.places(RETRIES)[()]
        places = layout.places(FAILURES)
        self._failures = {failure: places[kind,] for failure, kind in _ATTEMPTS.items()}

    def failed(self, failure: Failure, /) -> None:
        """Counts an attempt that failed."""
        place = self._failures.get(failure)
        if place is not None:
            self._cells[place] += 1.0

    def repeats(self) -> None:
        """Counts one that is about to be made again."""
        self._cells[self._retries] += 1.0
