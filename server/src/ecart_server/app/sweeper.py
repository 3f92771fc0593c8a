"""What the service does by itself while it runs: the sweep of the index of carts, now and then."""

from __future__ import annotations

import logging
import threading

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index import sweep
from ecart_server.redis_admin.connections import Node, open_nodes
from ecart_server.redis_admin.lease import END_SECONDS, Pace, Stopped, Turn

LOOK_SECONDS = 60
"""How often a process looks whether a sweep is due, and how long it serves before its first."""

logger = logging.getLogger("ecart.service")


class Sweeps:
    """Sweeps every so many seconds (0: never), one process of all, in a thread of its own."""

    def __init__(self, url: str, keys: Keyspace, every: int) -> None:
        self._url = url
        self._keys = keys
        self._every = every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ecart-sweep", daemon=True)

    def start(self) -> None:
        """Begins to look whether a sweep is due."""
        if self._every:
            self._thread.start()

    def end(self) -> None:
        """Gives up what is under way; another process, or the next start, begins it anew."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while not self._ending.wait(min(self._every, LOOK_SECONDS)):
            try:
                self._sweep_if_due()
            except Stopped:
                return
            except StoreUnavailableError as error:
                logger.warning("the index of carts is swept later: %s", error)
            except Exception:
                logger.exception("a sweep of the index of carts failed")

    def _sweep_if_due(self) -> None:
        nodes = open_nodes(self._url)
        try:
            turn = Turn(self._keys.sweep_turn, self._every)
            if turn.take(nodes):
                self._sweep(nodes, turn)
        finally:
            for node in nodes:
                node.client.close()

    def _sweep(self, nodes: list[Node], turn: Turn) -> None:
        try:
            done = sweep(nodes, self._keys, progress=Pace(self._ending, turn, nodes))
        except BaseException:
            turn.drop(nodes)
            raise
        if done.added or done.forgotten:
            logger.info("index swept: %d noted, %d forgotten", done.added, done.forgotten)
