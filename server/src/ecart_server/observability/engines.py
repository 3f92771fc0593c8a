"""What the engine says of itself when the metrics are read: one INFO, and no SCAN."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from ecart.errors import StoreUnavailableError
from ecart_server.redis_admin.connections import Node, open_nodes, with_retries

FRESH_SECONDS = 1.0
"""An answer is used again for so long: whoever asks often does not ask the engine as often."""
PATIENCE = 0.5
LONGEST_SECONDS = 3.0
"""A reader of metrics is told without the engine after that long."""

_SUMS = {
    "ecart_engine_memory_bytes": ("used_memory", "Bytes that the engine uses."),
    "ecart_engine_memory_limit_bytes": ("maxmemory", "Bytes that it may use; 0: no limit."),
    "ecart_engine_clients": ("connected_clients", "Connections to the engine."),
}
_COUNTS = {
    "ecart_engine_evicted_keys": ("evicted_keys", "Keys thrown away for memory: lost carts."),
    "ecart_engine_expired_keys": ("expired_keys", "Keys whose time to live ended."),
}


class EngineGauges:
    """Asks the engines behind a URL, over connections that stay open between two readings."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._asking = threading.Lock()
        self._nodes: list[Node] = []
        self._known: list[Mapping[str, Any]] = []
        self._known_at = float("-inf")

    async def __call__(self) -> Iterable[Metric]:
        """The families; `ecart_engine_up` is 0, and alone, while the engine does not answer."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                return shown(await asyncio.to_thread(self._ask))
        except TimeoutError:
            return shown([])

    def close(self) -> None:
        """Closes the connections."""
        with self._asking:
            self._forget()

    def _ask(self) -> list[Mapping[str, Any]]:
        with self._asking:
            if time.monotonic() - self._known_at > FRESH_SECONDS:
                self._known = self._answers()
                self._known_at = time.monotonic()
            return self._known

    def _answers(self) -> list[Mapping[str, Any]]:
        try:
            self._nodes = self._nodes or open_nodes(self._url)
            return [with_retries(node.client.info, PATIENCE) for node in self._nodes]
        except (StoreUnavailableError, OSError):
            self._forget()  # a cluster may have other nodes by now
            return []

    def _forget(self) -> None:
        for node in self._nodes:
            with contextlib.suppress(Exception):
                node.client.close()
        self._nodes = []


def shown(infos: list[Mapping[str, Any]]) -> Iterable[Metric]:
    """What the engines say, added up."""
    up = "Whether the engine answers."
    yield GaugeMetricFamily("ecart_engine_up", up, value=1.0 if infos else 0.0)
    if not infos:
        return
    keys = sum(
        value["keys"] for info in infos for name, value in info.items() if _is_database(name, value)
    )
    yield GaugeMetricFamily("ecart_engine_keys", "Keys in the engine: carts, mostly.", value=keys)
    for name, (field, text) in _SUMS.items():
        yield GaugeMetricFamily(name, text, value=sum(int(info.get(field, 0)) for info in infos))
    for name, (field, text) in _COUNTS.items():
        yield CounterMetricFamily(name, text, value=sum(int(info.get(field, 0)) for info in infos))


def _is_database(name: str, value: Any) -> bool:
    return name.startswith("db") and name[2:].isdigit() and isinstance(value, dict)
