"""Whose turn it is, of all processes of a deployment: whoever sets a key that lasts for a while.

Losing a turn early does no harm: what is done in turns may be done twice, only not always.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence

from ecart.errors import StoreUnavailableError
from ecart_server.redis_admin.connections import FIRST_PATIENCE, Node, owner_of

END_SECONDS = 1.0
"""How long the end of the process waits for a step that is under way."""


class Stopped(Exception):
    """The process is to end; what was under way is given up."""


class Turn:
    """One key, which is there while it is somebody's turn, and for `seconds` from its begin."""

    def __init__(self, key: str, seconds: int) -> None:
        self.key = key
        self.seconds = seconds

    def take(self, nodes: Sequence[Node]) -> bool:
        """Whether it was free, and is this process's now."""
        reply = self._set(nodes, "NX")
        return reply is not None

    def keep(self, nodes: Sequence[Node]) -> None:
        """Makes it last as long again: the work takes longer."""
        self._set(nodes, "XX")

    def drop(self, nodes: Sequence[Node]) -> None:
        """Lets the next one have it at once; an engine that is away will forget it by itself."""
        with contextlib.suppress(StoreUnavailableError):
            owner_of(nodes, self.key).ask("DEL", self.key, patience=FIRST_PATIENCE)

    def _set(self, nodes: Sequence[Node], when: str) -> object:
        node = owner_of(nodes, self.key)
        return node.ask("SET", self.key, "taken", when, "EX", self.seconds)


class Pace:
    """A `progress` for work in the background: half of the time it rests, and it ends when told.

    So neither the engine nor this process's requests wait for more than one small step of it.
    """

    def __init__(self, ending: threading.Event, turn: Turn, nodes: Sequence[Node]) -> None:
        self._ending = ending
        self._turn = turn
        self._nodes = nodes
        self._since = self._kept = time.monotonic()

    def __call__(self, *_: int) -> None:
        """Rests for as long as was worked since the last time.

        Raises:
            Stopped: it is time to end.
        """
        if self._ending.wait(min(time.monotonic() - self._since, 0.5)):
            raise Stopped
        self._since = time.monotonic()
        if self._since - self._kept > self._turn.seconds / 4:
            self._turn.keep(self._nodes)
            self._kept = self._since
