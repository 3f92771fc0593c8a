"""Whether the work grows in proportion to the size of an input."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Input = TypeVar("Input")

NOISE = 20e-6
"""Seconds, which a call of a few microseconds may take more for no reason of its own."""
ATTEMPTS = 3
"""A core that is shared may be slow for as long as one attempt takes; a square is in each."""


def square_in(
    call: Callable[[Input], object], small: Input, large: Input, noise: float = NOISE
) -> tuple[float, float] | None:
    """The seconds of both inputs if the large one takes six times as long as the small one.

    It is to have four times the size. None if the work grows in proportion.
    """
    for _ in range(ATTEMPTS):
        pairs = [(_processor_time(call, small), _processor_time(call, large)) for _ in range(5)]
        best = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        if best[1] < 6 * best[0] + noise:
            return None
    return best


def assert_linear(
    call: Callable[[Input], object], made: Callable[[int], Input], largest: int
) -> None:
    """Four times the size, up to the largest, takes less than six times as long, best of five."""
    assert square_in(call, made(largest // 4), made(largest)) is None


def _processor_time(call: Callable[[Input], object], argument: Input) -> float:
    """Of all threads of this process; so other processes on a busy machine hardly count."""
    began = time.process_time()
    call(argument)
    return time.process_time() - began
