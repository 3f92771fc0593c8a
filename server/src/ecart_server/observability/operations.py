"""Counts the operations on carts: how long each took, how it ended, what it did to the cart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, TypeVar

from ecart import errors, operations
from ecart.errors import EcartError, RefusedError, StoreError, VersionConflictError
from ecart.model import CartChange
from ecart.operations import (
    AddItem,
    BeginCheckout,
    Clear,
    CompleteCheckout,
    Operation,
    RemoveLine,
    SetQuantity,
)
from ecart.store import AsyncStore
from ecart.stores.redis.failures import Failure
from ecart_server.observability.minutes import Counts
from ecart_server.observability.series import (
    OTHER,
    CellLayout,
    Cells,
    Family,
    observations,
    observe,
)

_Result = TypeVar("_Result")


class ObservedStore:
    """An `AsyncStore` that times the operations of another one, and counts how they end."""

    def __init__(self, store: AsyncStore, counters: OperationCounters) -> None:
        self._store = store
        self._counters = counters

    async def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As the store behind it."""
        began = perf_counter()
        try:
            result = await self._store.execute(cart_id, operation)
        except BaseException as error:
            self._counters.failed(operation, error, perf_counter() - began)
            raise
        self._counters.succeeded(operation, result, perf_counter() - began)
        return result


def operation_kinds(kind: type[Operation[Any]] = Operation) -> Iterator[type[Operation[Any]]]:
    """The classes of all operations that a store can execute."""
    named = {getattr(operations, name) for name in operations.__all__}
    for below in kind.__subclasses__():
        if not below.__subclasses__() and below in named:
            yield below
        yield from operation_kinds(below)


def error_codes() -> tuple[str, ...]:
    """The codes of all errors that a store can raise."""
    known = [value for value in vars(errors).values() if isinstance(value, type)]
    return tuple(sorted({e.code for e in known if issubclass(e, RefusedError | StoreError)}))


OUTCOMES = ("ok", "replayed", *error_codes(), OTHER)

DURATIONS = "ecart_operation_seconds"
CONFLICTS = "ecart_conflicts"
REPLAYS = "ecart_replays"
FAILURES = "ecart_store_failures"
RETRIES = "ecart_store_retries"
UNITS_ADDED = "ecart_units_added"
REMOVALS = "ecart_removals"
CARTS_BEGUN = "ecart_carts_begun"

_KIND_OF_FAILURE = {
    Failure.NOT_EXECUTED: "not_executed",
    Failure.NOT_CONNECTED: "not_connected",
    Failure.UNKNOWN: "connection_lost",
    Failure.DENIED: "denied",
    Failure.NO_SCRIPT: "no_script",
}

OPERATION_FAMILIES = (
    Family(
        DURATIONS,
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
        {"kind": tuple(_KIND_OF_FAILURE.values())},
    ),
    Family(RETRIES, "Attempts that the store made again after one that failed."),
    Family(UNITS_ADDED, "Units put into carts."),
    Family(REMOVALS, "Lines taken out of carts, and carts cleared."),
    Family(CARTS_BEGUN, "Carts made by a first addition."),
)


class OperationCounters:
    """Counts operations by their outcome, and what they did to carts."""

    def __init__(self, layout: CellLayout, cells: Cells) -> None:
        self._cells = cells
        self._conflicts = layout.places(CONFLICTS)[()]
        self._replays = layout.places(REPLAYS)[()]
        self._units_added = layout.places(UNITS_ADDED)[()]
        self._removals = layout.places(REMOVALS)[()]
        self._carts_begun = layout.places(CARTS_BEGUN)[()]
        places = layout.places(DURATIONS)
        self._places = {
            kind: {outcome: places[kind.__name__, outcome] for outcome in OUTCOMES}
            for kind in operation_kinds()
        }
        self._ok = {kind: found["ok"] for kind, found in self._places.items()}
        self._count_effect: dict[type[Operation[Any]], Callable[[Any, Any], None]] = {
            AddItem: self._added,
            RemoveLine: self._removed,
            Clear: self._removed,
            SetQuantity: self._set,
        }

    def succeeded(self, operation: Operation[Any], result: Any, seconds: float, /) -> None:
        """Counts an operation that returned a result; a recognised repeat has no effect."""
        kind = type(operation)
        if isinstance(result, CartChange) and result.replayed:
            self._cells[self._replays] += 1.0
            self._observe(kind, "replayed", seconds)
            return
        place = self._ok.get(kind)
        if place is not None:
            observe(self._cells, place, seconds)
        count_effect = self._count_effect.get(kind)
        if count_effect is not None:
            count_effect(operation, result)

    def failed(self, operation: Operation[Any], error: BaseException, seconds: float, /) -> None:
        """Counts an operation that raised, under the error's code."""
        if isinstance(error, VersionConflictError):
            self._cells[self._conflicts] += 1.0
        # The name of an error that is not ours could be anything, so it is no label.
        outcome = error.code if isinstance(error, EcartError) else OTHER
        self._observe(type(operation), outcome, seconds)

    def counts(self) -> Counts:
        """What shoppers did since the counters began, as the records of minutes have it."""
        cells = self._cells
        return Counts(
            units_added=int(cells[self._units_added]),
            removals=int(cells[self._removals]),
            carts_begun=int(cells[self._carts_begun]),
            checkouts_begun=observations(cells, self._ok[BeginCheckout]),
            checkouts_completed=observations(cells, self._ok[CompleteCheckout]),
            conflicts=int(cells[self._conflicts]),
        )

    def _observe(self, kind: type[Operation[Any]], outcome: str, seconds: float) -> None:
        places = self._places.get(kind)
        if places is not None:
            observe(self._cells, places.get(outcome, places[OTHER]), seconds)

    def _added(self, operation: AddItem, result: CartChange) -> None:
        self._cells[self._units_added] += operation.quantity
        if result.version == 1:
            self._cells[self._carts_begun] += 1.0

    def _removed(self, operation: RemoveLine | Clear, result: CartChange) -> None:
        if result.version:  # else there was no cart to clear
            self._cells[self._removals] += 1.0

    def _set(self, operation: SetQuantity, result: CartChange) -> None:
        if operation.quantity == 0:
            self._cells[self._removals] += 1.0


class AttemptCounters:
    """Counts failed attempts of a store: callers do not see those that a retry recovered."""

    def __init__(self, layout: CellLayout, cells: Cells) -> None:
        self._cells = cells
        self._retries = layout.places(RETRIES)[()]
        places = layout.places(FAILURES)
        self._failures = {failure: places[kind,] for failure, kind in _KIND_OF_FAILURE.items()}

    def failed(self, failure: Failure, /) -> None:
        """Counts an attempt that failed."""
        place = self._failures.get(failure)
        if place is not None:
            self._cells[place] += 1.0

    def repeats(self) -> None:
        """Counts an attempt that repeats a failed one."""
        self._cells[self._retries] += 1.0
