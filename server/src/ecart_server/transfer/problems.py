"""Carts and lines that could not be moved: counted by code, and the first hundred listed.

So a report stays small however much is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

MAX_LISTED = 100
"""How many problems a report lists. All of them are counted, and passed to the callback."""


class TransferProblem(msgspec.Struct, frozen=True):
    """One problem. `at`: a key, a cart id or `line 7`; `code`: the kind; `detail`: for people."""

    at: str
    code: str
    detail: str


ProblemHandler = Callable[[TransferProblem], None]
"""Called with each problem as soon as it is found."""


class ProblemSummary(msgspec.Struct):
    """How many problems of each code there were, and the first hundred of them."""

    counts: dict[str, int] = {}
    first: list[TransferProblem] = []

    def add(self, problem: TransferProblem) -> None:
        """Counts a problem, and lists it if it is among the first."""
        self.counts[problem.code] = self.counts.get(problem.code, 0) + 1
        if len(self.first) < MAX_LISTED:
            self.first.append(problem)

    @property
    def total(self) -> int:
        """How many there were in all."""
        return sum(self.counts.values())
