"""Imports carts from their lines, each by one script that overwrites no cart that is to stay.

An import is idempotent: a cart that is there already is recognised by its header and left. So an
import that was interrupted is simply repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import msgspec

from ecart.errors import EcartError
from ecart.stores.redis.keys import Keyspace
from ecart_server.transfer.conversion import to_fields
from ecart_server.transfer.format import from_text
from ecart_server.transfer.problems import ProblemHandler, ProblemSummary, TransferProblem
from ecart_server.transfer.writer import CartWriter, PendingCart

BATCH_LINES = 250
BATCH_BYTES = 4 << 20
MAX_LINE_BYTES = 64 << 20

_COUNTED = ("written", "same", "newer", "ended")
_CONFLICTS = {
    "older": "an older version of this cart is here; --update takes the later one",
    "other": "another cart of this id is here; --replace overwrites it",
    "corrupt_cart": "what is under its key is no readable cart",
}


class ImportReport(msgspec.Struct):
    """The result of an import. Each of the `lines` read is in one of the six numbers that follow.

    `same`: the cart was there already; `newer`: a later version of it was; `ended`: it has expired.
    `refused`: another cart was there; `broken`: the line is no cart. All lines before `next_line`
    are done. `complete`: the import was not interrupted.
    """

    lines: int = 0
    written: int = 0
    same: int = 0
    newer: int = 0
    ended: int = 0
    refused: int = 0
    broken: int = 0
    problems: ProblemSummary = msgspec.field(default_factory=ProblemSummary)
    seconds: float = 0.0
    next_line: int = 1
    complete: bool = False


class Importer:
    """An import. `report` is up to date at any time, also after an error."""

    def __init__(
        self,
        writer: CartWriter,
        keys: Keyspace,
        report: ImportReport,
        on_problem: ProblemHandler = lambda problem: None,
    ) -> None:
        self.report = report
        self._writer = writer
        self._keys = keys
        self._on_problem = on_problem

    def run(
        self,
        lines: Iterable[bytes],
        *,
        from_line: int = 1,
        progress: Callable[[int, int], None] = lambda lines, size: None,
    ) -> ImportReport:
        """Imports every line from `from_line` on.

        `progress` is called with the number of lines that are done, and their size in bytes.

        Raises:
            StoreUnavailableError: an engine stopped answering, or its memory is full.
        """
        report, began, size = self.report, time.monotonic(), 0
        report.next_line = from_line
        for batch in _batches(lines):
            size += sum(len(text) for _, text in batch)
            self._import([entry for entry in batch if entry[0] >= from_line])
            report.next_line = max(from_line, batch[-1][0] + 1)
            report.seconds = round(time.monotonic() - began, 3)
            progress(report.next_line - 1, size)
        report.complete = True
        return report

    def _import(self, batch: list[tuple[int, bytes]]) -> None:
        carts = [cart for number, text in batch if (cart := self._parse(number, text))]
        for cart, outcome in zip(carts, self._writer.write(carts), strict=True):
            if outcome in _COUNTED:
                setattr(self.report, outcome, getattr(self.report, outcome) + 1)
                continue
            self.report.refused += 1
            code = "corrupt_cart" if outcome == "corrupt_cart" else "cart_differs"
            self._add_problem(cart.number, code, f"cart {cart.cart_id!r}: {_CONFLICTS[outcome]}")

    def _parse(self, number: int, text: bytes) -> PendingCart | None:
        """The cart of a line; None if the line is blank, or broken, which is reported."""
        if not text.strip():
            return None
        self.report.lines += 1
        try:
            if len(text) > MAX_LINE_BYTES:
                raise ValueError("longer than 64 MiB")
            cart = from_text(text)
            key, fields = to_fields(cart, self._keys)
        except (ValueError, EcartError) as error:
            self.report.broken += 1
            code = error.code if isinstance(error, EcartError) else "broken_line"
            self._add_problem(number, code, str(error))
            return None
        active_ms = None if cart.state in ("gone", "merged") else cart.updated_ms
        identity = (cart.epoch, cart.version, cart.expires_ms, active_ms)
        return PendingCart(number, cart.cart_id, key, fields, *identity)

    def _add_problem(self, number: int, code: str, detail: str) -> None:
        problem = TransferProblem(f"line {number}", code, detail)
        self.report.problems.add(problem)
        self._on_problem(problem)


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; one that is too long is cut a byte after the limit, and so refused."""
    while text := file.readline(MAX_LINE_BYTES + 1):
        yield text
        while len(text) > MAX_LINE_BYTES and not text.endswith(b"\n"):
            text = file.readline(MAX_LINE_BYTES + 1)


def _batches(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """The lines with their numbers, in batches that are sent together."""
    batch, size = [], 0
    for number, text in enumerate(lines, 1):
        batch.append((number, text))
        size += len(text)
        if len(batch) == BATCH_LINES or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
