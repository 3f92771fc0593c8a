"""Limits guesses of a key: a token bucket per address, and one for all addresses together.

Only wrong keys take a token. An address without a token is refused with any key, or the answer
would reveal which one is right. Each worker process counts for itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ecart.http.problems import HttpError
from ecart_server.rate_limits.addresses import client_address
from ecart_server.rate_limits.bucket import SECOND, Rate
from ecart_server.rate_limits.buckets import Buckets

_PER_ADDRESS = Rate(5, 60)
_ALL_ADDRESSES = Rate(100, 100)

MAX_ADDRESSES = 10_000


class WrongKeys:
    """The wrong keys of the last minutes. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all = Buckets("together", _ALL_ADDRESSES)
        self._by_address = Buckets("each", _PER_ADDRESS, MAX_ADDRESSES)

    def wait_seconds(self, address: str) -> int:
        """Seconds until this address may try again; 0: now."""
        now = self._now()
        decisions = [buckets.peek(key, now)[1] for buckets, key in self._buckets(address)]
        return max(math.ceil(decision.wait / SECOND) for decision in decisions)

    def check(self, address: str) -> None:
        """Refuses any key from an address that must wait.

        Raises:
            HttpError: `rate_limited`, with `Retry-After`.
        """
        seconds = self.wait_seconds(address)
        if seconds:
            text = f"too many wrong keys; try again in {seconds} s"
            raise HttpError("rate_limited", text, headers={"Retry-After": str(seconds)})

    def record_failure(self, address: str) -> None:
        """Counts a wrong key."""
        now = self._now()
        for buckets, key in self._buckets(address):
            buckets.put(key, buckets.peek(key, now)[0])

    def _buckets(self, address: str) -> tuple[tuple[Buckets, str], ...]:
        return (self._all, ""), (self._by_address, client_address(address).name)

    def _now(self) -> int:
        return int(self._clock() * SECOND)
