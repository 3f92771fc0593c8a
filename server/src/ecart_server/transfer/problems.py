"""What could not be taken, and why: told at once, counted, and the first of it kept.

So a report stays small however much is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

KEPT = 100
"""How many problems a report lists; all are told as they are met, and counted."""


class Problem(msgspec.Struct, frozen=True):
    """`at`: a key, a cart's id or `line 7`; `code`: why, in one word; `detail`: what exactly."""

    at: str
    code: str
    detail: str


Tell = Callable[[Problem], None]


class Problems(msgspec.Struct):
    """How many there were of each code, and the first hundred."""

    counts: dict[str, int] = {}
    first: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Counts one more."""
        self.counts[problem.code] = self.counts.get(problem.code, 0) + 1
        if len(self.first) < KEPT:
            self.first.append(problem)

    @property
    def total(self) -> int:
        """How many in all."""
        return sum(self.counts.values())
