"""The callback by which a long job reports how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done and about how much there is in all, in the unit of the job.

An exception that it raises interrupts the job.
"""
