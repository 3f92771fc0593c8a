"""Checks recorded histories of one cart for linearizability (Herlihy and Wing, 1990).

A history is linearizable if its operations can be put into one order that a single, sequential
cart would show, and in which no operation comes before one that had ended when it began. The
search is that of Wing and Gong with Lowe's memory of the states already seen: an operation that
may come next is tried, its answer compared with the model's, and taken back if that leads nowhere.

An operation whose outcome is unknown may take effect at any time after it began, or never.
Nothing here knows ecart: the model is given.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Event:
    """One operation of one client: when it began and ended, what it was, what it answered.

    `is_known` is False for an operation that got no answer: then `answer` means nothing and
    `ended` is `FOREVER`.
    """

    began: float
    ended: float
    operation: Any
    answer: Any = None
    is_known: bool = True


Model = Callable[[Any, Any], tuple[Hashable, Any]]
"""`model(state, operation) -> (next state, answer)`; states are hashable."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a history is none of a single cart: as far as any order gets, what cannot follow."""

    explained: tuple[Event, ...]
    stuck: tuple[Event, ...]


def find_violation(history: Sequence[Event], model: Model, initial: Hashable) -> Violation | None:
    """None if the history is linearizable."""
    events = sorted(history, key=lambda event: event.began)
    search = _Search(events, model)
    return search.run(initial)


class _Search:
    def __init__(self, events: Sequence[Event], model: Model) -> None:
        self._events = events
        self._model = model
        self._must = sum(1 << i for i, event in enumerate(events) if event.is_known)
        self._seen: set[tuple[int, Hashable]] = set()

    def run(self, initial: Hashable) -> Violation | None:
        best: list[int] = []
        order: list[int] = []
        # Each frame: the events taken, the state, and the candidates that are still to be tried.
        stack = [(0, initial, self._candidates(0))]
        while stack:
            taken, state, candidates = stack[-1]
            if taken & self._must == self._must:
                return None
            step = self._next(taken, state, candidates)
            if step is None:
                stack.pop()
                if order:
                    order.pop()
                continue
            index, after = step
            order.append(index)
            if len(order) > len(best):
                best = order.copy()
            now = taken | 1 << index
            stack.append((now, after, self._candidates(now)))
        return self._violation(best)

    def _next(
        self, taken: int, state: Hashable, candidates: list[int]
    ) -> tuple[int, Hashable] | None:
        """The next candidate that the model can follow into a state not seen before."""
        while candidates:
            index = candidates.pop()
            event = self._events[index]
            after, answer = self._model(state, event.operation)
            if event.is_known and answer != event.answer:
                continue
            mark = (taken | 1 << index, after)
            if mark not in self._seen:
                self._seen.add(mark)
                return index, after
        return None

    def _candidates(self, taken: int) -> list[int]:
        """The events that may come next: those that began before any other that is left ended.

        Popped from the end, so those that ended first are tried first and the unknown last.
        """
        first_end, found = FOREVER, []
        for index, event in enumerate(self._events):
            if taken >> index & 1:
                continue
            if event.began > first_end:
                break
            found.append(index)
            first_end = min(first_end, event.ended)
        found = [i for i in found if self._events[i].began <= first_end]
        return sorted(found, key=lambda i: -self._events[i].ended)

    def _violation(self, best: list[int]) -> Violation:
        taken = sum(1 << i for i in best)
        stuck = tuple(self._events[i] for i in self._candidates(taken))
        return Violation(tuple(self._events[i] for i in best), stuck)
