"""Keeps the survey of all carts in the engine, where every worker finds it, and renews it.

A survey takes seconds where there are many carts, so no page waits for one. It is taken in the
background by one process at a time, which holds a lease, at most once a minute, and only when
the overview is opened (decision 31). Pages show the last one and when it was taken.
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

RENEW_SECONDS = 60
EXPIRY_SECONDS = 900

_log = logging.getLogger("ecart.service")


class SurveyCache:
    """The survey of one deployment, as one worker reads and renews it."""

    def __init__(self, url: str, keys: Keyspace) -> None:
        self._url = url
        self._keys = keys
        self._lease = Lease(keys.survey_turn, RENEW_SECONDS)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def cached(self, nodes: Sequence[Node]) -> Survey | None:
        """The last survey; None if it has expired or another version of ecart wrote it."""
        text = owner_of(nodes, self._keys.survey).call("GET", self._keys.survey)
        try:
            return msgspec.json.decode(text, type=Survey) if text else None
        except (msgspec.ValidationError, msgspec.DecodeError):
            return None

    def renew_if_old(self, nodes: Sequence[Node], cached: Survey | None) -> None:
        """Starts a survey if the cached one is a minute old, and no other process is taking one."""
        now_ms = time.time_ns() // 1_000_000
        if cached is not None and now_ms - cached.taken_ms < RENEW_SECONDS * 1000:
            return
        if not self._ending.is_set() and self._lease.acquire(nodes):
            self._thread = threading.Thread(target=self._run, name="ecart-survey", daemon=True)
            self._thread.start()

    def forget(self, nodes: Sequence[Node]) -> None:
        """Drops the survey and the lease, so that the next overview starts a new one."""
        for key in (self._keys.survey, self._keys.survey_turn):
            owner_of(nodes, key).call("DEL", key)

    def end(self) -> None:
        """Stops a survey that is running; another worker may start one at once."""
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
            _log.warning("carts are surveyed later: %s", error)
        except Stopped:
            pass
        except Exception:
            _log.exception("a survey of the carts failed")

    def _take(self, nodes: list[Node]) -> None:
        try:
            taken = survey(nodes, self._keys, progress=Throttle(self._ending, self._lease, nodes))
        except Stopped:
            self._lease.release(nodes)
            raise
        text = msgspec.json.encode(taken)
        owner_of(nodes, self._keys.survey).call(
            "SET", self._keys.survey, text, "EX", EXPIRY_SECONDS
        )
