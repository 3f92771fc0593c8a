"""A background job of the service: the periodic sweep of the index of carts."""

from __future__ import annotations

import logging
import threading

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index import sweep
from ecart_server.redis_admin.connections import opened_nodes
from ecart_server.redis_admin.lease import END_SECONDS, Lease, Stopped, Throttle

DUE_CHECK_SECONDS = 60
"""How often a process checks whether a sweep is due, and how long it serves before its first."""

_log = logging.getLogger("ecart.service")


class Sweeper:
    """Sweeps every `interval` seconds (0: never), in a thread; a lease picks one process of all."""

    def __init__(self, url: str, keys: Keyspace, interval: int) -> None:
        self._url = url
        self._keys = keys
        self._interval = interval
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ecart-sweep", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        if self._interval:
            self._thread.start()

    def end(self) -> None:
        """Interrupts a sweep in progress; another process, or the next start, repeats it."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while not self._ending.wait(min(self._interval, DUE_CHECK_SECONDS)):
            try:
                self._sweep_if_due()
            except Stopped:
                return
            except StoreUnavailableError as error:
                _log.warning("the index of carts is swept later: %s", error)
            except Exception:
                _log.exception("a sweep of the index of carts failed")

    def _sweep_if_due(self) -> None:
        lease = Lease(self._keys.sweep_turn, self._interval)
        with opened_nodes(self._url) as nodes:
            if not lease.acquire(nodes):
                return
            try:
                swept = sweep(nodes, self._keys, progress=Throttle(self._ending, lease, nodes))
            except BaseException:
                lease.release(nodes)
                raise
            if swept.added or swept.forgotten:
                _log.info("index swept: %d added, %d removed", swept.added, swept.forgotten)
