"""Every cart of a deployment as a line: found with SCAN, read a bounded number of bytes at a time.

The engine is never blocked, and carts may change meanwhile: each line is of one moment, the lines
together are not. Memory does not grow with the number of carts.
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
from ecart_server.transfer.conversion import exported
from ecart_server.transfer.format import to_text
from ecart_server.transfer.problems import Problem, Problems, Tell

Progress = Callable[[int, int], None]
"""Is told how many carts have been written, and about how many there are."""

KEYS_AT_A_TIME = 250_000
"""Keys that are sorted in memory at a time."""

_CLOSE_MS = 1000
"""An expiry so near to what the cart says of itself is that: between two questions time passes."""


class ExportReport(msgspec.Struct):
    """What an export did. `complete`: it came to its end."""

    carts: int = 0
    states: dict[str, int] = {}
    problems: Problems = msgspec.field(default_factory=Problems)
    seconds: float = 0.0
    complete: bool = False

    def count(self, state: str) -> None:
        """One more cart."""
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
    tell: Tell = lambda problem: None,
    progress: Progress = lambda done, total: None,
) -> ExportReport:
    """Writes a line for each cart. `in_order`: sorted by partition and key, which takes as many
    walks through the store as there are times 250,000 keys in it.

    Raises:
        StoreUnavailableError: an engine stopped answering.
    """
    report, began = ExportReport(), time.monotonic()
    with opened_nodes(url) as nodes:
        total = _about_how_many(nodes, keys)
        walk = _in_order(nodes, keys, total) if in_order else _as_they_come(nodes, keys)
        for node, page in walk:
            for found in _found(node, page, keys):
                if isinstance(found, Problem):
                    report.problems.add(found)
                    tell(found)
                else:
                    write(found.text + "\n")
                    report.count(found.state)
            progress(report.carts, max(total, report.carts))
    report.seconds = round(time.monotonic() - began, 3)
    report.complete = True
    return report


def _about_how_many(nodes: list[Node], keys: Keyspace) -> int:
    """All keys but the indexes; those of other prefixes and programs are not told apart."""
    indexes = [keys.index(number) for number in range(keys.partitions)]
    total = 0
    for node in nodes:
        own = [("EXISTS", index) for index in indexes if node.owns(index)]
        total += int(node.call("DBSIZE")) - node.pipeline(own).count(1)
    return total


Walk = Iterator[tuple[Node, list[bytes]]]


def _as_they_come(nodes: list[Node], keys: Keyspace) -> Walk:
    for node in nodes:
        for page in scan_pages(node, keys.pattern):
            names = dict.fromkeys(key for key in page if keys.names_cart(_shown(key)))
            yield node, list(names)


def _in_order(nodes: list[Node], keys: Keyspace, total: int) -> Walk:
    walks = min(keys.partitions, 1 + total // KEYS_AT_A_TIME)
    for number in range(walks):
        first, end = (keys.partitions * n // walks for n in (number, number + 1))
        found = {
            (partition, key): node
            for node, page in _as_they_come(nodes, keys)
            for key in page
            if first <= (partition := _partition(key)) < end or end == keys.partitions <= partition
        }
        yield from _batched(sorted(found), found)


def _batched(order: list[tuple[int, bytes]], found: dict[tuple[int, bytes], Node]) -> Walk:
    """Pages of neighbours that one node holds."""
    page: list[bytes] = []
    for place, name in enumerate(order):
        page.append(name[1])
        follower = order[place + 1] if place + 1 < len(order) else None
        if follower is None or len(page) == SCAN_COUNT or found[follower] is not found[name]:
            yield found[name], page
            page = []


def _partition(key: bytes) -> int:
    return int(key.partition(b":{")[2].partition(b"}")[0])


def _shown(key: bytes) -> str:
    return key.decode(errors="replace")


def _found(node: Node, page: list[bytes], keys: Keyspace) -> Iterator[_Line | Problem]:
    """The line of each cart, or why there is none."""
    for stored in read_carts(node, page):
        if isinstance(stored, Unread):
            yield Problem(_shown(stored.key), stored.code, stored.detail)
            continue
        elsewhere = misplaced(stored.key, keys)
        if elsewhere is not None:
            yield Problem(stored.key, "orphan", f"its id belongs to {elsewhere}")
            continue
        try:
            line = _line(node, stored, keys)
        except CorruptCartError as error:
            yield Problem(stored.key, "unreadable_cart", f"field {error.field}")
            continue
        if line is not None:
            yield line


def _line(node: Node, stored: StoredHash, keys: Keyspace) -> _Line | None:
    cart_id = keys.cart_id(stored.key)
    expires_ms = _own_expiry(stored, cart_id)
    if not _is_expiry(stored, expires_ms):
        again = read_atomically(node, stored)
        if again is None:
            return None
        stored, expires_ms = again, _own_expiry(again, cart_id)
        if not _is_expiry(stored, expires_ms):
            expires_ms = _stored_expiry(node, stored)
    cart = exported(stored, cart_id, expires_ms)
    return _Line(cart.state, to_text(cart))


def _own_expiry(stored: StoredHash, cart_id: str) -> int | None:
    """When the cart expires by what it says of itself: every script sets it so."""
    header = {name: stored.fields[name] for name in HEADER if name in stored.fields}
    cart = read_summary(stored.key, cart_id, "USD", header)
    return cart.updated_ms + cart.lifetime_ms if cart.lifetime_ms else None


def _is_expiry(stored: StoredHash, expires_ms: int | None) -> bool:
    if expires_ms is None or stored.pttl < 0:
        return expires_ms is None and stored.pttl == -1
    return abs(stored.now_ms + stored.pttl - expires_ms) < _CLOSE_MS


def _stored_expiry(node: Node, stored: StoredHash) -> int | None:
    """When the key expires though the cart says otherwise; to the millisecond from Redis 7 on."""
    if stored.pttl == -1:
        return None
    (exact,) = node.pipeline([("PEXPIRETIME", stored.key)])
    near = stored.now_ms + stored.pttl
    return exact if isinstance(exact, int) and abs(exact - near) < _CLOSE_MS else near
