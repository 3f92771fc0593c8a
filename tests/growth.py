"""Whether the work grows in proportion to the size of an input."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Input = TypeVar("Input")

NOISE = 20e-6
"""Seconds, which a call of a few microseconds may take more for no reason of its own."""


def best_of_five(call: Callable[[Input], object], argument: Input) -> float:
    """The least processor time that one of five calls takes, in seconds.

    Of all threads of this process; so other processes on a busy machine do not count.
    """
    times = []
    for _ in range(5):
        began = time.process_time()
        call(argument)
        times.append(time.process_time() - began)
    return min(times)


def assert_linear(
    call: Callable[[Input], object], made: Callable[[int], Input], largest: int
) -> None:
    """Four times the size, up to the largest, takes less than six times as long."""
    small, large = (best_of_five(call, made(size)) for size in (largest // 4, largest))

    assert large < 6 * small + NOISE, (small, large)
