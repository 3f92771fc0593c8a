"""Leases: a key with an expiry says which process does a job for the whole deployment.

Every worker on every machine could sweep the index or take the survey, and one of them is enough.
The process that sets the key holds the lease: `SET key value NX EX seconds` succeeds for one only,
and the others leave the job to it. The expiry stands in for crash detection. A holder that dies
renews its lease no more; when the key has expired, another process acquires it, and no clean-up is
needed. A job that takes long renews its lease while it works (`SET ... XX EX`).

A holder does not release the lease when its job is done. It lets the key expire, so the duration of
the lease is also the interval between two runs. It releases the lease only if the job failed or was
interrupted, so that another process can start it at once.

A lease is weaker than a lock. A process that is suspended for longer than its lease, or a failover
that loses the key, lets two processes do the job at a time. Where that did harm, each write would
have to carry a fencing token. Here it does none: both jobs may run twice at a time, and the lease
only keeps that from being the rule.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence

from ecart.errors import StoreUnavailableError
from ecart_server.redis_admin.connections import FIRST_RETRY_SECONDS, Node, owner_of

END_SECONDS = 1.0
"""How long the end of the process waits for a step in progress."""


class Stopped(Exception):
    """The process is ending, and the job is interrupted."""


class Lease:
    """A lease of `seconds` seconds: the key `key`, while it exists."""

    def __init__(self, key: str, seconds: int) -> None:
        self.key = key
        self.seconds = seconds

    def acquire(self, nodes: Sequence[Node]) -> bool:
        """Acquires the lease if it is free; returns whether it was."""
        return self._set(nodes, "NX") is not None

    def renew(self, nodes: Sequence[Node]) -> None:
        """Starts its duration again, unless it has expired."""
        self._set(nodes, "XX")

    def release(self, nodes: Sequence[Node]) -> None:
        """Makes it free at once; if the engine is away, it becomes free by its expiry."""
        with contextlib.suppress(StoreUnavailableError):
            owner_of(nodes, self.key).call("DEL", self.key, timeout=FIRST_RETRY_SECONDS)

    def _set(self, nodes: Sequence[Node], when: str) -> object:
        node = owner_of(nodes, self.key)
        return node.call("SET", self.key, "taken", when, "EX", self.seconds)


class Throttle:
    """A `progress` callback for background jobs: it rests half of the time and renews the lease.

    So neither the engine nor this process's requests wait for more than one small step of the job.
    It interrupts the job when the event `ending` is set.
    """

    def __init__(self, ending: threading.Event, lease: Lease, nodes: Sequence[Node]) -> None:
        self._ending = ending
        self._lease = lease
        self._nodes = nodes
        self._resumed = self._renewed = time.monotonic()

    def __call__(self, *_: int) -> None:
        """Rests for as long as the job has worked since the last call, at most 0.5 seconds.

        Raises:
            Stopped: the process is ending.
        """
        if self._ending.wait(min(time.monotonic() - self._resumed, 0.5)):
            raise Stopped
        self._resumed = time.monotonic()
        if self._resumed - self._renewed > self._lease.seconds / 4:
            self._lease.renew(self._nodes)
            self._renewed = self._resumed
