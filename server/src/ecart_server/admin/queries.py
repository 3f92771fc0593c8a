"""What the pages show, read from the engine. All of it waits, so it runs in threads.

Nothing here walks through keys.
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
from ecart_server.admin.survey_cache import Surveys
from ecart_server.cart_index import Page, Survey, index_sizes, list_carts
from ecart_server.doctor import Engine, Finding, examine
from ecart_server.doctor.carts import Held, examine_cart
from ecart_server.doctor.findings import KINDS, Report
from ecart_server.doctor.scan import Unread, read_carts
from ecart_server.doctor.server import Facts
from ecart_server.observability.minutes import Minute, recent_minutes
from ecart_server.redis_admin.connections import (
    FIRST_RETRY_SECONDS,
    Node,
    open_nodes,
    owner_of,
    with_retries,
)
from ecart_server.settings import ServiceSettings

PAGE = 50


class Health(msgspec.Struct, frozen=True):
    """What an engine says of itself. Memory in bytes; `most_memory` 0: no limit."""

    engine: Engine
    uptime_seconds: int
    memory: int
    most_memory: int
    clients: int
    per_second: int
    evicted: int
    replicas: int


class Overview(msgspec.Struct, frozen=True):
    """`indexed` is read at once, entries of carts that are over included; the survey was taken."""

    now_ms: int
    indexed: int
    survey: Survey | None
    minutes: tuple[Minute, ...]
    health: tuple[Health, ...]
    report: Report


class ShownRecord(msgspec.Struct, frozen=True):
    """The record of a change, as the page of a cart shows it; `number` is that of a lane."""

    kind: str
    name: str
    number: int | None
    at: datetime
    result: str


class OneCart(msgspec.Struct, frozen=True):
    """All that is kept of one cart. `cart` is None if it cannot be read: then `fields` tell."""

    cart_id: str
    key: str
    now_ms: int
    pttl: int
    size: int
    cart: CartSnapshot | None
    records: tuple[ShownRecord, ...]
    findings: tuple[tuple[Finding, str], ...]
    fields: tuple[tuple[str, str], ...]


class Reading:
    """The carts of a deployment, for those who look at them."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._keys = settings.store.keys
        self._nodes: list[Node] = []
        self._opening = threading.Lock()
        self.surveys = Surveys(settings.store.url, self._keys)

    def overview(self) -> Overview:
        """The page that an operator sees first; what is old is surveyed anew meanwhile."""
        with self._asked() as nodes:
            kept = self.surveys.kept(nodes)
            self.surveys.want(nodes, kept)
            now_ms = time.time_ns() // 1_000_000
            return Overview(
                now_ms=now_ms,
                indexed=sum(index_sizes(nodes, self._keys)),
                survey=kept,
                minutes=tuple(recent_minutes(nodes, self._keys)),
                health=tuple(map(_health, nodes)),
                report=self.report(),
            )

    def carts(self, idle_seconds: int, newest_first: bool, after: str | None) -> Page:
        """A page of carts by their last activity.

        Raises:
            InvalidCursorError: `after` was not given by a page.
        """
        until_ms = time.time_ns() // 1_000_000 - idle_seconds * 1000
        with self._asked() as nodes:
            return list_carts(
                nodes,
                self._keys,
                limit=PAGE,
                until_ms=until_ms if idle_seconds else None,
                newest_first=newest_first,
                after=after,
                with_empty=True,
            )

    def cart(self, cart_id: str) -> OneCart | None:
        """All that is kept of a cart, also of one that has ended; None if there is nothing."""
        key = self._keys.cart(cart_id)
        with self._asked() as nodes:
            found = next(read_carts(owner_of(nodes, key), [key.encode()]), None)
        if found is None:
            return None
        if isinstance(found, Unread):
            told = (_finding(found.code), found.detail)
            return OneCart(cart_id, key, 0, -1, 0, None, (), (told,), ())
        return self._one(cart_id, found)

    def health(self) -> tuple[Health, ...]:
        """What each engine says of itself."""
        with self._asked() as nodes:
            return tuple(map(_health, nodes))

    def report(self) -> Report:
        """What the doctor says of the engine; it looks at no cart."""
        store = self._settings.store
        return examine(store.url, self._keys, sample=0, is_embedded=store.is_embedded)

    def purged(self) -> None:
        """A cart was erased: what was surveyed before names it no more."""
        with self._asked() as nodes:
            self.surveys.forget(nodes)

    def end(self) -> None:
        """Gives up what runs in the background, and closes what is open."""
        self.surveys.end()
        self._forget()

    def _one(self, cart_id: str, held: Held) -> OneCart:
        cart: CartSnapshot | None = None
        records: tuple[ShownRecord, ...] = ()
        with contextlib.suppress(CorruptCartError):
            cart = read_snapshot(held.key, cart_id, "USD", held.fields)
        with contextlib.suppress(CorruptCartError):
            records = _records(held)
        faults = examine_cart(held, self._keys).faults
        return OneCart(
            cart_id=cart_id,
            key=held.key,
            now_ms=held.now_ms,
            pttl=held.pttl,
            size=held.size,
            cart=cart,
            records=records,
            findings=tuple((_finding(code), detail) for code, detail in faults),
            fields=tuple(sorted((_text(k), _text(v)) for k, v in held.fields.items())),
        )

    @contextlib.contextmanager
    def _asked(self) -> Iterator[list[Node]]:
        """The nodes, opened once; after a failure anew, for they may be others then.

        An engine that is away is told at once, not after all the patience of a command.
        """
        with self._opening:
            self._nodes = self._nodes or open_nodes(self._settings.store.url)
            nodes = self._nodes
        try:
            nodes[0].call("PING", timeout=FIRST_RETRY_SECONDS)
            yield nodes
        except StoreUnavailableError:
            self._forget()
            raise

    def _forget(self) -> None:
        with self._opening:
            nodes, self._nodes = self._nodes, []
        for node in nodes:
            node.client.close()


def _health(node: Node) -> Health:
    info: dict[str, Any] = with_retries(node.client.info)
    return Health(
        engine=Facts(node.at, info, {}).engine,
        uptime_seconds=int(info.get("uptime_in_seconds", 0)),
        memory=int(info.get("used_memory", 0)),
        most_memory=int(info.get("maxmemory", 0)),
        clients=int(info.get("connected_clients", 0)),
        per_second=int(info.get("instantaneous_ops_per_sec", 0)),
        evicted=int(info.get("evicted_keys", 0)),
        replicas=int(info.get("connected_slaves", 0)),
    )


def _finding(code: str) -> Finding:
    kind = KINDS[code]
    return Finding(code, kind.severity, kind.means, kind.remedy)


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _records(held: Held) -> tuple[ShownRecord, ...]:
    """The records among the fields of a cart, the latest first."""
    found = []
    for name, text in held.fields.items():
        kind, shown = kind_of(name), _text(name)
        if kind in ("lane", "key", "merge"):
            record = read_record(held.key, shown, text)
            number = record.sequence if kind == "lane" else None
            at = datetime.fromtimestamp(record.at, UTC)
            found.append(ShownRecord(kind, shown[1:], number, at, record.outcome))
    return tuple(sorted(found, key=lambda record: (record.at, record.name), reverse=True))
