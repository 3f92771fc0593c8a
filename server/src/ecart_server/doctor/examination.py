"""Examines the engines, then their carts, and repairs these on the way if asked to."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor.carts import StoredHash, examine_cart
from ecart_server.doctor.engines import EngineFacts, find_engine_faults
from ecart_server.doctor.findings import KINDS, Report
from ecart_server.doctor.repair import Repairer
from ecart_server.doctor.scan import Unread, read_atomically, read_carts
from ecart_server.redis_admin.connections import (
    SCAN_COUNT,
    Node,
    open_nodes,
    scan_pages,
    with_retries,
)
from ecart_server.redis_admin.deployment import DeploymentError, compare_deployment, read_deployment
from ecart_server.redis_admin.progress import Progress

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
    """Examines the engines and their carts: all of them, or about `sample`; 0 for none.

    An engine that does not answer is a finding, not an error. `is_embedded`: the service started
    the engine. `clock`: seconds since 1970. Progress is counted in keys.

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
                examination.examine_engine(node, clock, is_embedded)
            examination.examine_deployment(nodes)
            if sample != 0:
                examination.examine_carts(nodes)
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

    def examine_engine(self, node: Node, clock: Callable[[], float], is_embedded: bool) -> None:
        """Adds the engine and its faults to the report."""
        info = with_retries(node.client.info)
        if info.get("cluster_enabled"):
            lines = node.call("CLUSTER", "INFO").decode().splitlines()
            info |= dict(line.split(":", 1) for line in lines if ":" in line)
        facts = EngineFacts(node.at, info, _settings(node), _clock_offset(node, clock), is_embedded)
        self.report.engines.append(facts.engine)
        for code, detail in find_engine_faults(facts):
            self.report.add(code, node.at, detail)

    def examine_deployment(self, nodes: list[Node]) -> None:
        """Compares the deployment record with the keys that are used here."""
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

    def examine_carts(self, nodes: list[Node]) -> None:
        """Examines every key of the prefix, on every node."""
        carts, began = self.report.carts, time.monotonic()
        repairer = Repairer(nodes, self._keys) if self._repair else None
        total = sum(int(node.call("DBSIZE")) for node in nodes)
        try:
            carts.complete = True
            for node, page in self._pages(nodes):
                for found in self._read_page(node, page):
                    self._examine(node, found, repairer)
                done = carts.examined + self._indexes
                self._progress(done, min(total, self._sample or total))
                if self._sample is not None and carts.examined >= self._sample:
                    carts.complete = False
                    break
            self._find_old_carts(nodes)
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

    def _read_page(self, node: Node, page: list[bytes]) -> Iterator[StoredHash | Unread]:
        """The carts among these keys, and the keys whose names ecart does not use."""
        carts = []
        for key in dict.fromkeys(page):
            name = key.decode(errors="replace")
            if self._keys.names_cart(name):
                carts.append(key)
            elif self._keys.names_index(name):
                self._indexes += 1
            elif not (
                name == self._keys.deployment
                or self._keys.names_minute(name)
                or self._keys.names_upkeep(name)
                or self._keys.names_ended_session(name)
            ):
                yield Unread(key, "unknown_name", "not a name of ecart's")
        yield from read_carts(node, carts)

    def _examine(self, node: Node, found: StoredHash | Unread, repairer: Repairer | None) -> None:
        if isinstance(found, Unread):
            self.report.add(found.code, found.key.decode(errors="replace"), found.detail)
            return
        diagnosis = examine_cart(found, self._keys)
        if diagnosis.faults:
            # The hash and its expiry were read one after the other, with changes in between.
            again = read_atomically(node, found)
            if again is None:
                return
            found, diagnosis = again, examine_cart(again, self._keys)
        self.report.carts.examined += 1
        self._states[diagnosis.state] += 1
        for code, detail in diagnosis.faults:
            self.report.add(code, found.key, detail)
        codes = {code for code, _ in diagnosis.faults if KINDS[code].is_repaired}
        if repairer is not None and codes:
            for code, done in repairer.repair(node, found, codes).items():
                self.report.add_repair(code, found.key, done)

    def _find_old_carts(self, nodes: list[Node]) -> None:
        max_pages = None if self._sample is None else 1 + self._sample // SCAN_COUNT
        for node in nodes:
            for page in islice(scan_pages(node, OLD_CARTS), max_pages):
                for key in page:
                    self.report.add("old_carts", key.decode(errors="replace"), "of E-Cart 1.0")


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


def _clock_offset(node: Node, clock: Callable[[], float]) -> float:
    """The seconds that the engine's clock is ahead at least: the round trip is not counted."""
    before = clock()
    seconds, micros = node.call("TIME")
    after = clock()
    theirs = int(seconds) + int(micros) / 1e6
    if before <= theirs <= after:
        return 0.0
    return theirs - after if theirs > after else theirs - before
