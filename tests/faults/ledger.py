"""What was accepted of one cart under check-out, done again in the order of the versions.

Each accepted change makes the next version, so the versions that callers were told give the one
order in which their changes took effect, however they raced. A model so small that it can be read
does them again and finds what no honest cart would have answered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One accepted change, as its caller was told of it.

    `what` is begin, add, set, complete or release. `units` are those handed over by begin;
    `quantity` those that the line had after add or set; `is_held` that a check-out still held the
    cart then. A `brief` hold may be over at any moment; another one ends only by its id.
    """

    version: int
    what: str
    checkout_id: str = ""
    units: dict[str, int] = field(default_factory=dict)
    keeps: bool = False
    brief: bool = False
    expected: int | None = None
    sku: str = ""
    added: int = 0
    quantity: int = 0
    is_held: bool = False


class Ledger:
    """The entries of all callers, and what is wrong with them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._units: Counter[str] = Counter()
        self._hold: Entry | None = None
        self._wrong: list[str] = []

    def violations(self, units: dict[str, int], version: int) -> list[str]:
        """Everything that cannot be, given the cart at the end."""
        entries = sorted(self.entries, key=lambda entry: entry.version)
        if [entry.version for entry in entries] != list(range(1, version + 1)):
            self._wrong.append(f"versions {[entry.version for entry in entries]} up to {version}")
        for entry in entries:
            getattr(self, f"_{entry.what}")(entry)
        self._expect(entries[-1:], "the end", units, +self._units)
        return self._wrong

    def _expect(self, at: object, what: str, is_: object, should_be: object) -> None:
        if is_ != should_be:
            self._wrong.append(f"{what} is {is_}, not {should_be}, at {at}")

    def _begin(self, entry: Entry) -> None:
        self._interrupt(entry)
        self._expect(entry, "what was handed over", entry.units, +self._units)
        if entry.expected is not None:
            self._expect(entry, "the version before", entry.version - 1, entry.expected)
        self._hold = entry

    def _add(self, entry: Entry) -> None:
        if entry.is_held:
            self._expect(
                entry, "an add to a held cart", bool(self._hold and self._hold.keeps), True
            )
        else:
            self._interrupt(entry)
        self._units[entry.sku] += entry.added
        self._expect(entry, "the quantity", entry.quantity, self._units[entry.sku])

    def _set(self, entry: Entry) -> None:
        self._interrupt(entry)
        self._units[entry.sku] = entry.quantity

    def _complete(self, entry: Entry) -> None:
        if self._ends(entry):
            self._units.subtract(self._hold.units)
            self._hold = None

    def _release(self, entry: Entry) -> None:
        if self._ends(entry):
            self._hold = None

    def _ends(self, entry: Entry) -> bool:
        holder = self._hold.checkout_id if self._hold else None
        self._expect(entry, "what ended", entry.checkout_id, holder)
        return holder == entry.checkout_id

    def _interrupt(self, entry: Entry) -> None:
        """What is not for a held cart ends a hold whose time is over; no other can be there."""
        if self._hold is not None and not self._hold.brief:
            self._wrong.append(f"the cart was held by {self._hold.checkout_id}, at {entry}")
        self._hold = None
