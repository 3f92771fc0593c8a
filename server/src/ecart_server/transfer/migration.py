"""Brings the carts of E-Cart 1.0 over: each whole or not at all, and only where there is no cart.

Nothing is written in a dry run. An old key is deleted only if it is asked for, only after its cart
was written and read back, and only while it still holds what was brought over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ecart.errors import EcartError, RefusedError, StoreError, VersionConflictError
from ecart.model import LineItem
from ecart.operations import GetCart
from ecart.store import Store
from ecart.stores.redis.scripts import load_script
from ecart_server.doctor.scan import Unread, read_carts
from ecart_server.redis_admin.connections import Node, scan_pages
from ecart_server.transfer.e_cart import OLD_KEYS, OldCart, read_old_cart
from ecart_server.transfer.problems import Problem, Problems, Tell

_DELETE = load_script("delete_old_cart", "ecart_server.transfer")

Progress = Callable[[int, int], None]


class CartExistsError(RefusedError):
    """A cart of this id is here, and is not what the old one would become."""

    code = "cart_differs"


class MigrationReport(msgspec.Struct):
    """What was found, and what became of it. `dry_run`: nothing was written; `written` would be.

    `same`: brought over before. `deleted`: old keys.
    """

    dry_run: bool
    carts: int = 0
    lines: int = 0
    written: int = 0
    same: int = 0
    refused: int = 0
    deleted: int = 0
    problems: Problems = msgspec.field(default_factory=Problems)
    seconds: float = 0.0
    complete: bool = False


class Wishes(msgspec.Struct, frozen=True):
    """How it is to be done. `cart_id`: the new id, with `{}` for the user's."""

    write: bool = False
    delete: bool = False
    currency: str = "USD"
    cart_id: str = "{}"


class Migration:
    """From the nodes that hold old carts into a store."""

    def __init__(
        self, nodes: Sequence[Node], store: Store, wishes: Wishes, tell: Tell = lambda problem: None
    ) -> None:
        self.report = MigrationReport(dry_run=not wishes.write)
        self._nodes = nodes
        self._store = store
        self._wishes = wishes
        self._tell = tell

    def run(self, progress: Progress = lambda done, total: None) -> MigrationReport:
        """Brings over all that there is.

        Raises:
            StoreError: an engine stopped answering.
        """
        report, began = self.report, time.monotonic()
        total = sum(int(node.call("DBSIZE")) for node in self._nodes)
        for node in self._nodes:
            for page in scan_pages(node, OLD_KEYS):
                for found in _read(node, page, self._wishes.cart_id):
                    report.carts += 1
                    self._take(node, found)
                report.seconds = round(time.monotonic() - began, 3)
                progress(report.carts, max(total, report.carts))
        report.complete = True
        return report

    def _take(self, node: Node, found: OldCart | Problem) -> None:
        report = self.report
        if isinstance(found, Problem):
            self._refuse(found)
            return
        report.lines += len(found.lines)
        try:
            is_new = self._bring(found) if self._wishes.write else self._is_new(found)
        except StoreError:
            raise
        except EcartError as error:
            self._refuse(Problem(found.key, error.code, str(error)))
            return
        if is_new:
            report.written += 1
        else:
            report.same += 1
        if self._wishes.write and self._wishes.delete:
            self._delete(node, found)

    def _refuse(self, problem: Problem) -> None:
        self.report.refused += 1
        self.report.problems.add(problem)
        self._tell(problem)

    def _bring(self, old: OldCart) -> bool:
        """Writes the cart and reads it back; False if that had been done before."""
        try:
            change = self._store.execute(old.cart_id, old.put(self._wishes.currency))
        except VersionConflictError:
            return self._is_new(old)
        if change.replayed:
            return False
        if self._is_new(old):
            raise CartExistsError("what was written is not there")
        return True

    def _is_new(self, old: OldCart) -> bool:
        """Whether there is no cart yet; an error if there is one that is not as this one."""
        cart = self._store.execute(old.cart_id, GetCart())
        if not cart.version:
            return True
        if not cart.exists or _bare(cart.lines) != _bare(old.lines):
            raise CartExistsError(f"another cart of id {old.cart_id!r} is here")
        return False

    def _delete(self, node: Node, old: OldCart) -> None:
        fields = [part for pair in old.fields.items() for part in pair]
        reply = node.call("EVAL", _DELETE.text, 1, old.key, len(old.fields), *fields)
        if reply[1] == b"deleted":
            self.report.deleted += 1
        else:
            self._refuse(Problem(old.key, "changed_meanwhile", "it holds something else by now"))


def _bare(lines: Sequence[LineItem]) -> list[LineItem]:
    """The lines without their places, of which old carts had none."""
    bare = [msgspec.structs.replace(line, position=0) for line in lines]
    return sorted(bare, key=lambda line: line.line_id)


def _read(node: Node, page: list[bytes], cart_id: str) -> Iterator[OldCart | Problem]:
    readable = []
    for key in dict.fromkeys(page):
        try:
            key.decode()
            readable.append(key)
        except UnicodeDecodeError:
            yield Problem(key.decode(errors="replace"), "invalid_cart_id", "its id is no UTF-8")
    began = time.monotonic()
    for stored in read_carts(node, readable):
        if isinstance(stored, Unread):
            yield Problem(stored.key.decode(errors="replace"), stored.code, stored.detail)
            continue
        passed_ms = round(1000 * (time.monotonic() - began))
        left = stored.pttl if stored.pttl == -1 else max(1, stored.pttl - passed_ms)
        try:
            yield read_old_cart(stored.key, stored.fields, left, cart_id)
        except EcartError as error:
            yield Problem(stored.key, error.code, str(error))
