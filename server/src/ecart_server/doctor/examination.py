"""The examination: engines first, then every cart, repairing on the way if told to."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.carts import Held, examine_cart
from ecart_server.doctor.findings import KINDS, Report
from ecart_server.doctor.repair import Repairer
from ecart_server.doctor.scan import Unread, read_at_once, read_carts
from ecart_server.doctor.server import Facts, faults_of
from ecart_server.redis_admin.connections import (
    SCAN_COUNT,
    Node,
    open_nodes,
    scan_pages,
    with_retries,
)
from ecart_server.redis_admin.deployment import DeploymentError, compare_deployment, read_deployment

Progress = Callable[[int, int], None]
"""Is told how many keys have been looked at, and about how many there are."""

OLD_CARTS = "E-CART:USER_ID:*"
_SETTINGS = ("save", "appendfsync")


def examine(
    url: str,
    keys: Keyspace,
    *,
    sample: int | None = None,
    repair: bool = False,
    is_embedded: bool = False,
    clock: Callable[[], float] = time.time,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Looks at the engine and at its carts: all of them, or about `sample`; 0 for none.

    An engine that does not answer is a finding, not an error.

    Raises:
        InvalidUrlError: the URL cannot be read.
    """
    examination = _Examination(keys, sample, repair, progress)
    try:
        with contextlib.ExitStack() as stack:
            nodes = open_nodes(url)
            for node in nodes:
                stack.callback(node.client.close)
            for node in nodes:
                examination.look_at_engine(node, clock, is_embedded)
            examination.look_at_deployment(nodes)
            if sample != 0:
                examination.look_at_carts(nodes)
    except StoreUnavailableError as error:
        examination.report.add("engine_unreachable", "engine", str(error))
    examination.report.sort()
    return examination.report


class _Examination:
    def __init__(
        self, keys: Keyspace, sample: int | None, repair: bool, progress: Progress
    ) -> None:
        self.report = Report()
        self._keys = keys
        self._sample = sample
        self._repair = repair
        self._progress = progress
        self._states: Counter[str] = Counter()
        self._indexes = 0

    # The engine.

    def look_at_engine(self, node: Node, clock: Callable[[], float], is_embedded: bool) -> None:
        """Gathers the facts of one engine and judges them."""
        info = with_retries(node.client.info)
        if info.get("cluster_enabled"):
            info |= _cluster_info(node)
        facts = Facts(node.at, info, _settings(node), _seconds_apart(node, clock), is_embedded)
        self.report.engines.append(facts.engine)
        for code, detail in faults_of(facts):
            self.report.add(code, node.at, detail)

    def look_at_deployment(self, nodes: list[Node]) -> None:
        """Compares the record with the keys that are used here."""
        key = self._keys.deployment
        owner = next((node for node in nodes if node.owns(key)), nodes[0])
        try:
            found = read_deployment(owner.client, self._keys)
            if found is None:
                self.report.add("not_recorded", key, f"used: {self._keys.partitions} partitions")
            else:
                compare_deployment(found, self._keys)
        except DeploymentError as error:
            self.report.add("deployment_differs", key, str(error))

    # The carts.

    def look_at_carts(self, nodes: list[Node]) -> None:
        """Every key of the prefix, on every node."""
        carts, began = self.report.carts, time.monotonic()
        repairer = Repairer(nodes, self._keys) if self._repair else None
        total = sum(int(node.call("DBSIZE")) for node in nodes)
        try:
            carts.complete = True
            for node, page in self._pages(nodes):
                for found in self._found(node, page):
                    self._take(node, found, repairer)
                done = carts.examined + self._indexes
                self._progress(done, min(total, self._sample or total))
                if self._sample is not None and carts.examined >= self._sample:
                    carts.complete = False
                    break
            self._look_for_old_carts(nodes)
        except BaseException:
            carts.complete = False
            raise
        finally:
            carts.seconds = round(time.monotonic() - began, 3)
            carts.states = dict(sorted(self._states.items()))

    def _pages(self, nodes: list[Node]) -> Iterator[tuple[Node, list[bytes]]]:
        size = min(SCAN_COUNT, self._sample or SCAN_COUNT)
        for node in nodes:
            for page in scan_pages(node, self._keys.pattern, size):
                yield node, page

    def _found(self, node: Node, page: list[bytes]) -> Iterator[Held | Unread]:
        """What a page of keys holds: carts are read, the other names judged by themselves."""
        carts = []
        for key in dict.fromkeys(page):
            name = key.decode(errors="replace")
            if self._keys.names_cart(name):
                carts.append(key)
            elif self._keys.names_index(name):
                self._indexes += 1
            elif name != self._keys.deployment and not self._is_the_services(name):
                yield Unread(key, "unknown_name", "not a name of ecart's")
        yield from read_carts(node, carts)

    def _is_the_services(self, name: str) -> bool:
        return self._keys.names_minute(name) or self._keys.names_upkeep(name)

    def _take(self, node: Node, found: Held | Unread, repairer: Repairer | None) -> None:
        if isinstance(found, Unread):
            self.report.add(found.code, found.key.decode(errors="replace"), found.detail)
            return
        examined = examine_cart(found, self._keys)
        if examined.faults:
            # Seen again in one moment: between two questions the cart may have changed.
            again = read_at_once(node, found)
            if again is None:
                return
            found, examined = again, examine_cart(again, self._keys)
        self.report.carts.examined += 1
        self._states[examined.state] += 1
        for code, detail in examined.faults:
            self.report.add(code, found.key, detail)
        codes = {code for code, _ in examined.faults if KINDS[code].is_repaired}
        if repairer is not None and codes:
            for code, done in repairer.mend(node, found, codes).items():
                self.report.mended(code, found.key, done)

    def _look_for_old_carts(self, nodes: list[Node]) -> None:
        most = None if self._sample is None else 1 + self._sample // SCAN_COUNT
        for node in nodes:
            for page in islice(scan_pages(node, OLD_CARTS), most):
                for key in page:
                    self.report.add("old_carts", key.decode(errors="replace"), "of E-Cart 1.0")


def _cluster_info(node: Node) -> dict[str, str]:
    lines = node.call("CLUSTER", "INFO").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _settings(node: Node) -> dict[str, str]:
    """The settings that the engine lets this user read."""
    replies = node.pipeline([("CONFIG", "GET", name) for name in _SETTINGS])
    found = {}
    for reply in replies:
        if isinstance(reply, dict):
            reply = [part for pair in reply.items() for part in pair]
        if isinstance(reply, list) and len(reply) == 2:
            found[reply[0].decode()] = reply[1].decode()
    return found


def _seconds_apart(node: Node, clock: Callable[[], float]) -> float:
    """How far the clocks are apart for certain: what the way takes is not counted."""
    before = clock()
    seconds, micros = node.call("TIME")
    after = clock()
    theirs = int(seconds) + int(micros) / 1e6
    if before <= theirs <= after:
        return 0.0
    return theirs - after if theirs > after else theirs - before
