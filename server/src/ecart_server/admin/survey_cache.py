"""The survey that all workers show: taken in the background by one of them, kept in the engine.

It takes seconds where there are many carts, so no page waits for it. It is taken while somebody
looks, at most once a minute, and says when that was.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

import msgspec

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index import Survey, survey
from ecart_server.redis_admin.connections import Node, open_nodes, owner_of
from ecart_server.redis_admin.lease import END_SECONDS, Lease, Stopped, Throttle

EVERY_SECONDS = 60
KEPT_SECONDS = 900

logger = logging.getLogger("ecart.service")


class Surveys:
    """The surveys of one deployment, as one worker sees them."""

    def __init__(self, url: str, keys: Keyspace) -> None:
        self._url = url
        self._keys = keys
        self._lease = Lease(keys.survey_turn, EVERY_SECONDS)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def kept(self, nodes: Sequence[Node]) -> Survey | None:
        """The last survey, if it is not long ago."""
        text = owner_of(nodes, self._keys.survey).call("GET", self._keys.survey)
        try:
            return msgspec.json.decode(text, type=Survey) if text else None
        except (msgspec.ValidationError, msgspec.DecodeError):  # of another version
            return None

    def want(self, nodes: Sequence[Node], kept: Survey | None) -> None:
        """Begins a new one, if the one that is kept is old and nobody else is at it."""
        now_ms = time.time_ns() // 1_000_000
        if kept is not None and now_ms - kept.taken_ms < EVERY_SECONDS * 1000:
            return
        if not self._ending.is_set() and self._lease.acquire(nodes):
            self._thread = threading.Thread(target=self._run, name="ecart-survey", daemon=True)
            self._thread.start()

    def forget(self, nodes: Sequence[Node]) -> None:
        """Has the next one who looks see carts as they are now: one was erased."""
        for key in (self._keys.survey, self._keys.survey_turn):
            owner_of(nodes, key).call("DEL", key)

    def end(self) -> None:
        """Gives up the one that is under way; another worker begins it anew."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            nodes = open_nodes(self._url)
            try:
                self._take(nodes)
            finally:
                for node in nodes:
                    node.client.close()
        except StoreUnavailableError as error:
            logger.warning("carts are surveyed later: %s", error)
        except Stopped:
            pass
        except Exception:
            logger.exception("a survey of the carts failed")

    def _take(self, nodes: list[Node]) -> None:
        try:
            taken = survey(nodes, self._keys, progress=Throttle(self._ending, self._lease, nodes))
        except Stopped:
            self._lease.release(nodes)
            raise
        text = msgspec.json.encode(taken)
        owner_of(nodes, self._keys.survey).call("SET", self._keys.survey, text, "EX", KEPT_SECONDS)
