"""Migrates the carts of E-Cart 1.0: each whole or not at all, and only where there is no cart.

A dry run writes nothing. An old key is deleted only on request, only after its cart was written
and read back, and only while it still holds what was migrated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec

from ecart.errors import EcartError, RefusedError, StoreError, VersionConflictError
from ecart.model import LineItem
from ecart.operations import GetCart
from ecart.store import Store
from ecart.stores.redis.scripts import load_script
from ecart_server.doctor.examination import OLD_CARTS
from ecart_server.doctor.scan import Unread, read_carts
from ecart_server.redis_admin.connections import Node, scan_pages
from ecart_server.redis_admin.progress import Progress
from ecart_server.transfer.e_cart import OldCart, read_old_cart
from ecart_server.transfer.problems import ProblemHandler, ProblemSummary, TransferProblem

_DELETE = load_script("delete_old_cart", "ecart_server.transfer")


class CartExistsError(RefusedError):
    """There is a cart of this id, and it is not the migrated one."""

    code = "cart_differs"


class MigrationReport(msgspec.Struct):
    """The result of a migration: of the `carts` found, how many were written, there, or refused.

    `dry_run`: nothing was written, and `written` is what would be. `same`: migrated before.
    `deleted`: old keys. `complete`: the migration was not interrupted.
    """

    dry_run: bool
    carts: int = 0
    lines: int = 0
    written: int = 0
    same: int = 0
    refused: int = 0
    deleted: int = 0
    problems: ProblemSummary = msgspec.field(default_factory=ProblemSummary)
    seconds: float = 0.0
    complete: bool = False


class MigrationOptions(msgspec.Struct, frozen=True):
    """`write` the carts, and `delete` the old keys. `cart_id`: the new id, `{}` is the user's."""

    write: bool = False
    delete: bool = False
    currency: str = "USD"
    cart_id: str = "{}"


class Migration:
    """A migration from the nodes that hold old carts into a store."""

    def __init__(
        self,
        nodes: Sequence[Node],
        store: Store,
        options: MigrationOptions,
        on_problem: ProblemHandler = lambda problem: None,
    ) -> None:
        self.report = MigrationReport(dry_run=not options.write)
        self._nodes = nodes
        self._store = store
        self._options = options
        self._on_problem = on_problem

    def run(self, progress: Progress = lambda done, total: None) -> MigrationReport:
        """Migrates every old cart. Progress is counted in carts.

        Raises:
            StoreError: an engine stopped answering.
        """
        report, began = self.report, time.monotonic()
        total = sum(int(node.call("DBSIZE")) for node in self._nodes)
        for node in self._nodes:
            for page in scan_pages(node, OLD_CARTS):
                for found in _read_page(node, page, self._options.cart_id):
                    report.carts += 1
                    self._migrate(node, found)
                report.seconds = round(time.monotonic() - began, 3)
                progress(report.carts, max(total, report.carts))
        report.complete = True
        return report

    def _migrate(self, node: Node, found: OldCart | TransferProblem) -> None:
        report = self.report
        if isinstance(found, TransferProblem):
            self._refuse(found)
            return
        report.lines += len(found.lines)
        try:
            is_new = self._write(found) if self._options.write else self._is_absent(found)
        except StoreError:
            raise
        except EcartError as error:
            self._refuse(TransferProblem(found.key, error.code, str(error)))
            return
        if is_new:
            report.written += 1
        else:
            report.same += 1
        if self._options.write and self._options.delete:
            self._delete(node, found)

    def _refuse(self, problem: TransferProblem) -> None:
        self.report.refused += 1
        self.report.problems.add(problem)
        self._on_problem(problem)

    def _write(self, old: OldCart) -> bool:
        """Writes the cart and reads it back; returns False if it had been migrated before."""
        try:
            change = self._store.execute(old.cart_id, old.put_lines(self._options.currency))
        except VersionConflictError:
            return self._is_absent(old)
        if change.replayed:
            return False
        if self._is_absent(old):
            raise CartExistsError("the cart that was written cannot be read back")
        return True

    def _is_absent(self, old: OldCart) -> bool:
        """Whether there is no cart of this id; False if there is the migrated one.

        Raises:
            CartExistsError: there is another one.
        """
        cart = self._store.execute(old.cart_id, GetCart())
        if not cart.version:
            return True
        if not cart.exists or _without_positions(cart.lines) != _without_positions(old.lines):
            raise CartExistsError(f"another cart of id {old.cart_id!r} is there")
        return False

    def _delete(self, node: Node, old: OldCart) -> None:
        fields = [part for pair in old.fields.items() for part in pair]
        reply = node.call("EVAL", _DELETE.text, 1, old.key, len(old.fields), *fields)
        if reply[1] == b"deleted":
            self.report.deleted += 1
        else:
            self._refuse(
                TransferProblem(old.key, "changed_meanwhile", "it holds something else by now")
            )


def _without_positions(lines: Sequence[LineItem]) -> list[LineItem]:
    """The lines by line id, without positions, which old carts did not have."""
    lines = [msgspec.structs.replace(line, position=0) for line in lines]
    return sorted(lines, key=lambda line: line.line_id)


def _read_page(node: Node, page: list[bytes], cart_id: str) -> Iterator[OldCart | TransferProblem]:
    """The old carts under these keys, converted, or the reasons why they cannot be."""
    readable = []
    for key in dict.fromkeys(page):
        try:
            key.decode()
            readable.append(key)
        except UnicodeDecodeError:
            yield TransferProblem(
                key.decode(errors="replace"), "invalid_cart_id", "its id is no UTF-8"
            )
    began = time.monotonic()
    for stored in read_carts(node, readable):
        if isinstance(stored, Unread):
            yield TransferProblem(stored.key.decode(errors="replace"), stored.code, stored.detail)
            continue
        passed_ms = round(1000 * (time.monotonic() - began))
        left = stored.pttl if stored.pttl == -1 else max(1, stored.pttl - passed_ms)
        try:
            yield read_old_cart(stored.key, stored.fields, left, cart_id)
        except EcartError as error:
            yield TransferProblem(stored.key, error.code, str(error))
