"""Exports every cart of a deployment as a line: found by SCAN, read a bounded size at a time.

The engine is not blocked, so carts may change during an export: each line is consistent, the lines
together are no snapshot. Memory does not grow with the number of carts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from ecart.errors import CorruptCartError
from ecart.stores.redis.codec import HEADER, read_summary
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.carts import StoredHash, misplaced
from ecart_server.doctor.scan import Unread, read_atomically, read_carts
from ecart_server.redis_admin.connections import SCAN_COUNT, Node, opened_nodes, scan_pages
from ecart_server.redis_admin.progress import Progress
from ecart_server.transfer.conversion import to_exported
from ecart_server.transfer.format import to_text
from ecart_server.transfer.problems import ProblemHandler, ProblemSummary, TransferProblem

MAX_SORTED_KEYS = 250_000
"""Keys that are sorted in memory at a time; more take another walk through the store."""

_CLOSE_MS = 1000
"""Expiries that differ by less are the same: time passes between TIME and PTTL."""


class ExportReport(msgspec.Struct):
    """The result of an export. `complete`: it was not interrupted."""

    carts: int = 0
    states: dict[str, int] = {}
    problems: ProblemSummary = msgspec.field(default_factory=ProblemSummary)
    seconds: float = 0.0
    complete: bool = False

    def count(self, state: str) -> None:
        """Counts a cart."""
        self.carts += 1
        self.states[state] = self.states.get(state, 0) + 1


class _Line(msgspec.Struct, frozen=True):
    state: str
    text: str


def export_carts(
    url: str,
    keys: Keyspace,
    write: Callable[[str], object],
    *,
    in_order: bool = False,
    on_problem: ProblemHandler = lambda problem: None,
    progress: Progress = lambda done, total: None,
) -> ExportReport:
    """Writes a line for each cart.

    `in_order`: sorted by partition and key, which takes a walk through the store for each 250,000
    keys in it. Progress is counted in carts.

    Raises:
        StoreUnavailableError: an engine stopped answering.
    """
    report, began = ExportReport(), time.monotonic()
    with opened_nodes(url) as nodes:
        total = _estimate_total(nodes, keys)
        pages = _ordered_pages(nodes, keys, total) if in_order else _pages(nodes, keys)
        for node, page in pages:
            for found in _export_page(node, page, keys):
                if isinstance(found, TransferProblem):
                    report.problems.add(found)
                    on_problem(found)
                else:
                    write(found.text + "\n")
                    report.count(found.state)
            progress(report.carts, max(total, report.carts))
    report.seconds = round(time.monotonic() - began, 3)
    report.complete = True
    return report


def _estimate_total(nodes: list[Node], keys: Keyspace) -> int:
    """The number of all keys but the indexes; it includes those of other prefixes."""
    indexes = [keys.index(number) for number in range(keys.partitions)]
    total = 0
    for node in nodes:
        own = [("EXISTS", index) for index in indexes if node.owns(index)]
        total += int(node.call("DBSIZE")) - node.pipeline(own).count(1)
    return total


_Pages = Iterator[tuple[Node, list[bytes]]]


def _pages(nodes: list[Node], keys: Keyspace) -> _Pages:
    for node in nodes:
        for page in scan_pages(node, keys.pattern):
            names = dict.fromkeys(key for key in page if keys.names_cart(_text(key)))
            yield node, list(names)


def _ordered_pages(nodes: list[Node], keys: Keyspace, total: int) -> _Pages:
    walks = min(keys.partitions, 1 + total // MAX_SORTED_KEYS)
    for number in range(walks):
        first, end = (keys.partitions * n // walks for n in (number, number + 1))
        found = {
            (partition, key): node
            for node, page in _pages(nodes, keys)
            for key in page
            if first <= (partition := _partition(key)) < end or end == keys.partitions <= partition
        }
        yield from _pages_of_nodes(sorted(found), found)


def _pages_of_nodes(order: list[tuple[int, bytes]], found: dict[tuple[int, bytes], Node]) -> _Pages:
    """Pages of keys in this order, each of keys that one node holds."""
    page: list[bytes] = []
    for i, name in enumerate(order):
        page.append(name[1])
        following = order[i + 1] if i + 1 < len(order) else None
        if following is None or len(page) == SCAN_COUNT or found[following] is not found[name]:
            yield found[name], page
            page = []


def _partition(key: bytes) -> int:
    return int(key.partition(b":{")[2].partition(b"}")[0])


def _text(key: bytes) -> str:
    return key.decode(errors="replace")


def _export_page(
    node: Node, page: list[bytes], keys: Keyspace
) -> Iterator[_Line | TransferProblem]:
    """The line of each cart, or the reason why it has none."""
    for stored in read_carts(node, page):
        if isinstance(stored, Unread):
            yield TransferProblem(_text(stored.key), stored.code, stored.detail)
            continue
        elsewhere = misplaced(stored.key, keys)
        if elsewhere is not None:
            yield TransferProblem(stored.key, "orphan", f"its id belongs to {elsewhere}")
            continue
        try:
            line = _export_cart(node, stored, keys)
        except CorruptCartError as error:
            yield TransferProblem(stored.key, "unreadable_cart", f"field {error.field}")
            continue
        if line is not None:
            yield line


def _export_cart(node: Node, stored: StoredHash, keys: Keyspace) -> _Line | None:
    """The line of a cart; None if it has just been deleted."""
    cart_id = keys.cart_id(stored.key)
    expires_ms = _expiry_of_cart(stored, cart_id)
    if not _is_expiry_of_key(stored, expires_ms):
        again = read_atomically(node, stored)
        if again is None:
            return None
        stored, expires_ms = again, _expiry_of_cart(again, cart_id)
        if not _is_expiry_of_key(stored, expires_ms):
            expires_ms = _expiry_of_key(node, stored)
    cart = to_exported(stored, cart_id, expires_ms)
    return _Line(cart.state, to_text(cart))


def _expiry_of_cart(stored: StoredHash, cart_id: str) -> int | None:
    """When the cart expires by its header, which is when every script lets the key expire."""
    header = {name: stored.fields[name] for name in HEADER if name in stored.fields}
    cart = read_summary(stored.key, cart_id, "USD", header)
    return cart.updated_ms + cart.lifetime_ms if cart.lifetime_ms else None


def _is_expiry_of_key(stored: StoredHash, expires_ms: int | None) -> bool:
    if expires_ms is None or stored.pttl < 0:
        return expires_ms is None and stored.pttl == -1
    return abs(stored.now_ms + stored.pttl - expires_ms) < _CLOSE_MS


def _expiry_of_key(node: Node, stored: StoredHash) -> int | None:
    """When the key expires, if not by its header; exact to the millisecond from Redis 7 on."""
    if stored.pttl == -1:
        return None
    (exact,) = node.pipeline([("PEXPIRETIME", stored.key)])
    near = stored.now_ms + stored.pttl
    return exact if isinstance(exact, int) and abs(exact - near) < _CLOSE_MS else near
