"""How often a wrong key may be shown: a token bucket for each address, and one for all together.

Only wrong keys cost a token. But who has none left is refused with any key, or the refusal would
tell which one is right. Each worker process counts for itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ecart_server.rate_limits.addresses import origin_of
from ecart_server.rate_limits.bucket import SECOND, Rate
from ecart_server.rate_limits.buckets import Buckets

_EACH = Rate(5, 60)
_TOGETHER = Rate(100, 100)

MOST_ADDRESSES = 10_000


class Attempts:
    """The attempts of the last minutes. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._together = Buckets("together", _TOGETHER)
        self._of = Buckets("each", _EACH, MOST_ADDRESSES)

    def wait(self, address: str) -> int:
        """Seconds until this address may try again; 0: now."""
        now = self._now()
        verdicts = [buckets.ask(key, now)[1] for buckets, key in self._buckets(address)]
        return max(math.ceil(verdict.wait / SECOND) for verdict in verdicts)

    def failed(self, address: str) -> None:
        """It showed a wrong key."""
        now = self._now()
        for buckets, key in self._buckets(address):
            buckets.keep(key, buckets.ask(key, now)[0])

    def _buckets(self, address: str) -> tuple[tuple[Buckets, str], ...]:
        return (self._together, ""), (self._of, origin_of(address).name)

    def _now(self) -> int:
        return int(self._clock() * SECOND)
