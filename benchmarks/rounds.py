"""Rounds: the contenders take turns, A B C A B C ..., so that a slow moment hits all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec

Turn = Callable[[int], float]
"""Makes so many calls and tells how many seconds they took."""


class Pace(msgspec.Struct, frozen=True):
    """How long it may take: turns of so many seconds each, in so many rounds.

    `load` and its rounds are for the service, after so many that do not count; `starts` is how
    often a process is started, `carts` how many are weighed together.
    """

    rounds: int = 11
    turn: float = 0.04
    load_rounds: int = 7
    load_warming: int = 1
    load: float = 0.7
    starts: int = 11
    carts: int = 10_000


QUICK = Pace(rounds=2, turn=0.002, load_rounds=1, load_warming=0, load=0.05, starts=1, carts=200)


class Samples:
    """What each contender scored in each round."""

    def __init__(self, scores: Mapping[str, list[float]]) -> None:
        self.scores = scores

    def ratios(self, above: str, below: str) -> tuple[float, ...]:
        """One contender's score over another's, round by round."""
        pairs = zip(self.scores[above], self.scores[below], strict=True)
        return tuple(a / b for a, b in pairs)

    def differences(self, above: str, below: str) -> tuple[float, ...]:
        """One contender's score less another's, round by round."""
        pairs = zip(self.scores[above], self.scores[below], strict=True)
        return tuple(a - b for a, b in pairs)

    def of(self, *names: str, scale: float = 1.0) -> dict[str, tuple[float, ...]]:
        """The scores of some contenders, in another unit."""
        return {name: tuple(score * scale for score in self.scores[name]) for name in names}


def interleaved(turns: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Lets each contender take its turn in each round; a turn tells its score."""
    scores: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            scores[name].append(turn())
    return Samples(scores)


def timed(turns: Mapping[str, Turn], pace: Pace) -> Samples:
    """Seconds per call of each contender, in turns of about the same length."""
    calls = {name: _calls_in(turn, pace.turn) for name, turn in turns.items()}

    def one(name: str) -> Callable[[], float]:
        return lambda: turns[name](calls[name]) / calls[name]

    return interleaved({name: one(name) for name in turns}, pace.rounds)


def _calls_in(turn: Turn, seconds: float) -> int:
    """How many calls take about so long, when everything is warm: the first count only warms."""
    _counted(turn, seconds)
    return _counted(turn, seconds)


def _counted(turn: Turn, seconds: float) -> int:
    calls = 1
    while (took := turn(calls)) < seconds / 4:
        calls *= 2
    return max(1, round(calls * seconds / took))


def calling(call: Callable[[], Any]) -> Turn:
    """The turn of a plain call."""

    def turn(calls: int) -> float:
        began = perf_counter()
        for _ in range(calls):
            call()
        return perf_counter() - began

    return turn


def awaiting(runner: asyncio.Runner, call: Callable[[], Awaitable[Any]]) -> Turn:
    """The turn of a call that is awaited, one after the other."""

    async def calls_in_a_row(calls: int) -> float:
        began = perf_counter()
        for _ in range(calls):
            await call()
        return perf_counter() - began

    return lambda calls: runner.run(calls_in_a_row(calls))
