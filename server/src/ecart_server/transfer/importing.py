"""Lines back into carts: each put in place by one script, none over another that is to stay.

A repeat finds what it wrote and changes nothing, so an import that broke off is simply begun
again: what is there already is recognised by its header, many carts at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import msgspec

from ecart.errors import EcartError
from ecart.stores.redis.keys import Keyspace
from ecart_server.transfer.conversion import fields_of
from ecart_server.transfer.format import from_text
from ecart_server.transfer.problems import Problem, Problems, Tell
from ecart_server.transfer.writer import Placed, Placer

BATCH_LINES = 250
BATCH_BYTES = 4 << 20
LONGEST_LINE = 64 << 20

_COUNTED = ("written", "same", "newer", "ended")
_STAYS = {
    "older": "an older version of this cart is here; --update takes the later one",
    "other": "another cart of this id is here; --replace overwrites it",
    "corrupt_cart": "what is under its key is no readable cart",
}

Progress = Callable[[int, int], None]
"""Is told how many lines have been taken, and how many bytes they were."""


class ImportReport(msgspec.Struct):
    """What an import did. Each of the `lines` read is in one of the six numbers that follow.

    `same` were here already; of `newer`, a later version was; of `ended`, the time had run out.
    All that comes before line `next_line` is settled.
    """

    lines: int = 0
    written: int = 0
    same: int = 0
    newer: int = 0
    ended: int = 0
    refused: int = 0
    broken: int = 0
    problems: Problems = msgspec.field(default_factory=Problems)
    seconds: float = 0.0
    next_line: int = 1
    complete: bool = False


class Importer:
    """An import. `report` tells at any time how far it is, also after an error."""

    def __init__(
        self,
        placer: Placer,
        keys: Keyspace,
        report: ImportReport,
        tell: Tell = lambda problem: None,
    ) -> None:
        self.report = report
        self._placer = placer
        self._keys = keys
        self._tell = tell

    def run(
        self,
        lines: Iterable[bytes],
        *,
        from_line: int = 1,
        progress: Progress = lambda lines, size: None,
    ) -> ImportReport:
        """Takes every line in, from this one on.

        Raises:
            StoreUnavailableError: an engine stopped answering, or its memory is full.
        """
        report, began, size = self.report, time.monotonic(), 0
        report.next_line = from_line
        for batch in _batches(lines):
            size += sum(len(text) for _, text in batch)
            self._take([entry for entry in batch if entry[0] >= from_line])
            report.next_line = max(from_line, batch[-1][0] + 1)
            report.seconds = round(time.monotonic() - began, 3)
            progress(report.next_line - 1, size)
        report.complete = True
        return report

    def _take(self, batch: list[tuple[int, bytes]]) -> None:
        carts = [cart for number, text in batch if (cart := self._read(number, text))]
        for cart, outcome in zip(carts, self._placer.place(carts), strict=True):
            if outcome in _COUNTED:
                setattr(self.report, outcome, getattr(self.report, outcome) + 1)
                continue
            self.report.refused += 1
            code = "corrupt_cart" if outcome == "corrupt_cart" else "cart_differs"
            self._problem(cart.number, code, f"cart {cart.cart_id!r}: {_STAYS[outcome]}")

    def _read(self, number: int, text: bytes) -> Placed | None:
        if not text.strip():
            return None
        self.report.lines += 1
        try:
            if len(text) > LONGEST_LINE:
                raise ValueError("longer than 64 MiB")
            cart = from_text(text)
            key, fields = fields_of(cart, self._keys)
        except (ValueError, EcartError) as error:
            self.report.broken += 1
            code = error.code if isinstance(error, EcartError) else "broken_line"
            self._problem(number, code, str(error))
            return None
        active_ms = None if cart.state in ("gone", "merged") else cart.updated_ms
        identity = (cart.epoch, cart.version, cart.expires_ms, active_ms)
        return Placed(number, cart.cart_id, key, fields, *identity)

    def _problem(self, number: int, code: str, detail: str) -> None:
        problem = Problem(f"line {number}", code, detail)
        self.report.problems.add(problem)
        self._tell(problem)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long, as much as tells that it is."""
    while text := file.readline(LONGEST_LINE + 1):
        yield text
        while len(text) > LONGEST_LINE and not text.endswith(b"\n"):
            text = file.readline(LONGEST_LINE + 1)


def _batches(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """The lines with their numbers, as many at a time as are sent together."""
    batch, size = [], 0
    for number, text in enumerate(lines, 1):
        batch.append((number, text))
        size += len(text)
        if len(batch) == BATCH_LINES or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
