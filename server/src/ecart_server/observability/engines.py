"""Gauges of the engine, from its `INFO`, which is asked for when the metrics are read."""

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

CACHE_SECONDS = 1.0
"""How long an answer is reused, so that frequent readers do not burden the engine."""
RECONNECT_SECONDS = 0.5
"""How long one engine is tried before it counts as away."""
DEADLINE_SECONDS = 3.0
"""After that the metrics are given without those of the engine."""

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
    """Asks the engines behind a URL, over connections that stay open between two reads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._nodes: list[Node] = []
        self._cached: list[Mapping[str, Any]] = []
        self._cached_at = float("-inf")

    async def __call__(self) -> Iterable[Metric]:
        """The metrics; while the engine does not answer, only `ecart_engine_up`, which is 0."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return engine_metrics(await asyncio.to_thread(self._infos))
        except TimeoutError:
            return engine_metrics([])

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            self._disconnect()

    def _infos(self) -> list[Mapping[str, Any]]:
        with self._lock:
            if time.monotonic() - self._cached_at > CACHE_SECONDS:
                self._cached = self._ask()
                self._cached_at = time.monotonic()
            return self._cached

    def _ask(self) -> list[Mapping[str, Any]]:
        try:
            self._nodes = self._nodes or open_nodes(self._url)
            return [with_retries(node.client.info, RECONNECT_SECONDS) for node in self._nodes]
        except (StoreUnavailableError, OSError):
            self._disconnect()  # a cluster may have other nodes by now
            return []

    def _disconnect(self) -> None:
        for node in self._nodes:
            with contextlib.suppress(Exception):
                node.client.close()
        self._nodes = []


def engine_metrics(infos: list[Mapping[str, Any]]) -> Iterable[Metric]:
    """The metrics of several engines are their sums; without an answer, only that they are down."""
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
