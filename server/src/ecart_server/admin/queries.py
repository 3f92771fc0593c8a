"""What the pages show, read from the engine. Every query blocks, so views run them in threads.

No query walks through the keys: lists come from the index, a cart from its key, the numbers of the
overview from the survey that `survey_cache` keeps.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from ecart.errors import CorruptCartError, StoreUnavailableError
from ecart.model import CartSnapshot
from ecart.stores.redis.cart_hash import kind_of
from ecart.stores.redis.codec import read_record, read_snapshot
from ecart_server.admin.survey_cache import SurveyCache
from ecart_server.cart_index import CartPage, Survey, index_sizes, list_carts
from ecart_server.doctor import Engine, Finding, examine
from ecart_server.doctor.carts import StoredHash, examine_cart
from ecart_server.doctor.engines import EngineFacts
from ecart_server.doctor.findings import KINDS, Report
from ecart_server.doctor.scan import Unread, read_carts
from ecart_server.observability.minutes import Minute, recent_minutes
from ecart_server.redis_admin.connections import (
    FIRST_RETRY_SECONDS,
    Node,
    open_nodes,
    owner_of,
    with_retries,
)
from ecart_server.settings import ServiceSettings

CARTS_PER_PAGE = 50


class EngineHealth(msgspec.Struct, frozen=True):
    """What an engine's `INFO` says. Memory is in bytes; a `memory_limit` of 0 is none."""

    engine: Engine
    uptime_seconds: int
    memory_used: int
    memory_limit: int
    clients: int
    commands_per_second: int
    evicted_keys: int
    replicas: int


class Overview(msgspec.Struct, frozen=True):
    """The first page. `indexed` counts index entries, of which some may be of carts that are over.

    `survey` is the last one, up to 15 minutes old; None if there is none yet.
    """

    now_ms: int
    indexed: int
    survey: Survey | None
    minutes: tuple[Minute, ...]
    engines: tuple[EngineHealth, ...]
    report: Report


class ShownRecord(msgspec.Struct, frozen=True):
    """The record of a change, as the page of a cart shows it; `number` is that of a lane."""

    kind: str
    name: str
    number: int | None
    at: datetime
    result: str


SHOWN_RECORDS = 200
SHOWN_FIELDS = 600
"""What a cart's page has of records, the latest first, and of fields: `ecart show` prints more."""


class CartDetails(msgspec.Struct, frozen=True):
    """All that is stored of one cart, and what the doctor finds in it.

    `pttl` is milliseconds to live as the engine gives them, `size` bytes of memory. `cart` is None
    if the stored fields cannot be read; `fields` are there as text in any case. Of records and
    fields the first are here, and how many there are.
    """

    cart_id: str
    key: str
    now_ms: int
    pttl: int
    size: int
    cart: CartSnapshot | None
    records: tuple[ShownRecord, ...]
    findings: tuple[tuple[Finding, str], ...]
    fields: tuple[tuple[str, str], ...]
    record_count: int = 0
    field_count: int = 0


class AdminQueries:
    """The queries of one deployment, over connections that stay open between two of them."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._keys = settings.store.keys
        self._nodes: list[Node] = []
        self._opening = threading.Lock()
        self._surveys = SurveyCache(settings.store.url, self._keys)

    def overview(self) -> Overview:
        """The numbers of the overview. An old survey is shown, and renewed in the background."""
        with self._connected() as nodes:
            survey = self._surveys.cached(nodes)
            self._surveys.renew_if_old(nodes, survey)
            return Overview(
                now_ms=time.time_ns() // 1_000_000,
                indexed=sum(index_sizes(nodes, self._keys)),
                survey=survey,
                minutes=tuple(recent_minutes(nodes, self._keys)),
                engines=tuple(map(_health, nodes)),
                report=self.report(),
            )

    def carts(self, idle_seconds: int, newest_first: bool, after: str | None) -> CartPage:
        """A page of carts by their last change.

        With `idle_seconds`, only those without a change for so long. `after` is the cursor of the
        page before.

        Raises:
            InvalidCursorError: `after` is not such a cursor.
        """
        until_ms = time.time_ns() // 1_000_000 - idle_seconds * 1000
        with self._connected() as nodes:
            return list_carts(
                nodes,
                self._keys,
                limit=CARTS_PER_PAGE,
                until_ms=until_ms if idle_seconds else None,
                newest_first=newest_first,
                after=after,
                with_empty=True,
            )

    def cart(self, cart_id: str) -> CartDetails | None:
        """All that is stored of a cart, also of one that has ended; None if nothing is."""
        key = self._keys.cart(cart_id)
        with self._connected() as nodes:
            found = next(read_carts(owner_of(nodes, key), [key.encode()]), None)
        if found is None:
            return None
        if isinstance(found, Unread):
            finding = (_finding(found.code), found.detail)
            return CartDetails(cart_id, key, 0, -1, 0, None, (), (finding,), ())
        return self._details(cart_id, found)

    def engines(self) -> tuple[EngineHealth, ...]:
        """The health of each engine: several in a cluster."""
        with self._connected() as nodes:
            return tuple(map(_health, nodes))

    def report(self) -> Report:
        """The doctor's findings about the engine; no cart is examined."""
        settings = self._settings
        return examine(
            settings.store.url, self._keys, sample=0, is_embedded=settings.store.is_embedded
        )

    def forget_survey(self) -> None:
        """Drops the survey after a purge: it may still name the cart."""
        with self._connected() as nodes:
            self._surveys.forget(nodes)

    def end(self) -> None:
        """Stops what runs in the background, and closes the connections."""
        self._surveys.end()
        self._disconnect()

    def _details(self, cart_id: str, stored: StoredHash) -> CartDetails:
        cart: CartSnapshot | None = None
        records: tuple[ShownRecord, ...] = ()
        with contextlib.suppress(CorruptCartError):
            cart = read_snapshot(stored.key, cart_id, "USD", stored.fields)
        with contextlib.suppress(CorruptCartError):
            records = _records(stored)
        faults = examine_cart(stored, self._keys).faults
        return CartDetails(
            cart_id=cart_id,
            key=stored.key,
            now_ms=stored.now_ms,
            pttl=stored.pttl,
            size=stored.size,
            cart=cart,
            records=records[:SHOWN_RECORDS],
            findings=tuple((_finding(code), detail) for code, detail in faults),
            fields=tuple(
                (
                    name.decode(errors="backslashreplace"),
                    stored.fields[name].decode(errors="backslashreplace"),
                )
                for name in sorted(stored.fields)[:SHOWN_FIELDS]
            ),
            record_count=len(records),
            field_count=len(stored.fields),
        )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[list[Node]]:
        """The nodes, which are opened once, and again after a failure: a cluster may have others.

        A `PING` with a short time-out comes first, so that an engine that is away is noticed before
        a command waits its full time.
        """
        with self._opening:
            self._nodes = self._nodes or open_nodes(self._settings.store.url)
            nodes = self._nodes
        try:
            nodes[0].call("PING", timeout=FIRST_RETRY_SECONDS)
            yield nodes
        except StoreUnavailableError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        with self._opening:
            nodes, self._nodes = self._nodes, []
        for node in nodes:
            node.client.close()


def _health(node: Node) -> EngineHealth:
    info: dict[str, Any] = with_retries(node.client.info)
    return EngineHealth(
        engine=EngineFacts(node.at, info, {}).engine,
        uptime_seconds=int(info.get("uptime_in_seconds", 0)),
        memory_used=int(info.get("used_memory", 0)),
        memory_limit=int(info.get("maxmemory", 0)),
        clients=int(info.get("connected_clients", 0)),
        commands_per_second=int(info.get("instantaneous_ops_per_sec", 0)),
        evicted_keys=int(info.get("evicted_keys", 0)),
        replicas=int(info.get("connected_slaves", 0)),
    )


def _finding(code: str) -> Finding:
    kind = KINDS[code]
    return Finding(code, kind.severity, kind.means, kind.remedy)


def _records(stored: StoredHash) -> tuple[ShownRecord, ...]:
    """The records among the fields of a cart, the latest first."""
    found = []
    for name, text in stored.fields.items():
        kind, shown = kind_of(name), name.decode(errors="backslashreplace")
        if kind in ("lane", "key", "merge"):
            record = read_record(stored.key, shown, text)
            number = record.sequence if kind == "lane" else None
            at = datetime.fromtimestamp(record.at, UTC)
            found.append(ShownRecord(kind, shown[1:], number, at, record.outcome))
    return tuple(sorted(found, key=lambda record: (record.at, record.name), reverse=True))
