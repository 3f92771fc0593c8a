"""What a cart is: frozen values without behaviour of the store. Nothing here does I/O."""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from base64 import b32encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec

from ecart.errors import (
    InvalidCartIdError,
    InvalidLineIdError,
    InvalidSkuError,
    LineNotFoundError,
)
from ecart.money import ZERO, add_up, multiply, round_parts

OptionValue = str | int | bool | None
Options = Mapping[str, OptionValue]
"""What the shopper chose: part of a line's identity. Size "M" and size "L" are two lines."""

Details = Mapping[str, Any]
"""Whatever else the shop keeps with a line, as a JSON object. No part of its identity."""

State = Literal["open", "locked", "merging", "merged", "gone"]
MergePolicy = Literal["sum", "max", "keep_target", "replace"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LINE_ID_DIGEST = re.compile(r":[a-z2-7]{16}\Z")

_SHORT = reprlib.Repr()
_SHORT.maxstring = 48
_SHORT.maxdict = 3
_SHOWN = 3
"""The lines that a snapshot's `repr` names."""


_ENDED_MS: dict[State, int] = {
    "gone": 15 * 60 * 1000,  # late repeats find the record and revive nothing
    "merging": 7 * 24 * 3600 * 1000,  # so long a half-done merge waits to be finished
    "merged": 24 * 3600 * 1000,  # the lines remain, unseen, in case it was a mistake
}


def stored_as(letter: str) -> msgspec.Meta:
    """Annotates an optional text field of `LineItem` with the letter that it is stored under.

    For example `note: Annotated[str | None, stored_as("n")] = None`. Letters of a stored version
    are never reused.
    """
    return msgspec.Meta(extra={"letter": letter})


class EmptyMapping(dict[str, Any]):
    """An empty dict that stays empty, so that values which are shared can have it.

    It is a `dict` for what encodes and pickles them; a copy is a plain one.
    """

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("this value is shared: copy it before you change it")

    __setitem__: Any = _refuse
    __ior__: Any = _refuse
    setdefault: Any = _refuse
    update: Any = _refuse

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[()]]:
        return dict, ()


class LineItem(msgspec.Struct, frozen=True):
    """A row of the cart: one SKU in one choice of options.

    `unit_price` is None until the line has been priced. `position` orders the lines by when each
    was first added. `other` holds attributes that a newer version stored with the line, by their
    letters: they are copied, merged and exported along.

    A further field that is optional text needs no more than its declaration with `stored_as`: the
    codec, export, import, copy and merge read it from here.
    """

    line_id: str
    quantity: int
    unit_price: Decimal | None = None
    position: int = 0
    title: str | None = None
    options: Options = {}
    details: Details | None = None
    other: Mapping[str, str] = {}

    @property
    def sku(self) -> str:
        """What is sold."""
        return sku_of(self.line_id)

    @property
    def subtotal(self) -> Decimal | None:
        """`unit_price` × `quantity`, exact; None while the line has no price."""
        return None if self.unit_price is None else multiply(self.unit_price, self.quantity)

    def __repr__(self) -> str:
        options = f" options={_SHORT.repr(dict(self.options))}" if self.options else ""
        name = _SHORT.repr(self.line_id)
        return f"<LineItem {name} quantity={self.quantity} unit_price={self.unit_price}{options}>"


def _letters() -> dict[str, str]:
    found = {}
    for field in msgspec.structs.fields(LineItem):
        for part in getattr(field.type, "__metadata__", ()):
            found[part.extra["letter"]] = field.name
    return found


LINE_ATTRIBUTES: Mapping[str, str] = _letters()
"""The fields of `LineItem` that were declared with `stored_as`, by their letters."""


class Lock(msgspec.Struct, frozen=True):
    """A check-out that has begun. After `deadline_ms` the next change opens the cart again."""

    checkout_id: str
    deadline_ms: int
    keeps_additions: bool = False

    @property
    def deadline(self) -> datetime:
        """Until when the check-out holds the cart (UTC, the engine's clock)."""
        return _datetime(self.deadline_ms)


class Merge(msgspec.Struct, frozen=True):
    """A merge of this cart into another: under way, or finished."""

    merge_id: str
    policy: MergePolicy
    target_id: str


class CartSummary(msgspec.Struct, frozen=True):
    """A cart without its lines: what a badge in a page header shows.

    A cart that does not exist reads as empty: version 0, `epoch` "". Times are milliseconds since
    1970 by the engine's clock. `ttl_ms` is 0 for a cart that never expires; `ttl_pinned`:
    `set_ttl` chose it. `last_position` is that of the line added last. `lock` is the
    check-out that has begun, `merge` the merge into another cart.
    """

    cart_id: str
    currency: str
    line_count: int = 0
    total_quantity: int = 0
    subtotal: Decimal = ZERO
    version: int = 0
    epoch: str = ""
    digest: str = ""
    state: State = "open"
    lock: Lock | None = None
    merge: Merge | None = None
    created_ms: int = 0
    updated_ms: int = 0
    ttl_ms: int = 0
    ttl_pinned: bool = False
    last_position: int = 0

    @property
    def lifetime_ms(self) -> int:
        """How long the key lives after the last change: `ttl_ms`, unless the cart has ended."""
        return _ENDED_MS.get(self.state, self.ttl_ms)

    @property
    def etag(self) -> str:
        """Names this exact state, also across expiry and fail-over, where versions repeat."""
        return f"{self.epoch}.{self.version}.{self.digest}"

    @property
    def exists(self) -> bool:
        """Whether the store holds a live cart; False also after `destroy` and after a merge."""
        return bool(self.epoch) and self.state not in ("gone", "merged")

    @property
    def created_at(self) -> datetime | None:
        """When the first change made the cart (UTC)."""
        return _datetime(self.created_ms) if self.exists else None

    @property
    def updated_at(self) -> datetime | None:
        """When the last change was applied (UTC)."""
        return _datetime(self.updated_ms) if self.exists else None

    @property
    def expires_at(self) -> datetime | None:
        """When the cart will expire unless it is changed before (UTC); None for never."""
        if not self.exists or not self.lifetime_ms:
            return None
        return _datetime(self.updated_ms + self.lifetime_ms)

    def __repr__(self) -> str:
        return f"<CartSummary {self._outline()}>"

    def _outline(self) -> str:
        state = "" if self.state == "open" else f" state={self.state}"
        return (
            f"{_SHORT.repr(self.cart_id)} version={self.version} line_count={self.line_count} "
            f"total_quantity={self.total_quantity} subtotal={self.subtotal} {self.currency}{state}"
        )


class CartSnapshot(CartSummary, frozen=True):
    """A cart with its lines, all of one moment, in the order in which they were first added.

    `len(snapshot)` counts its lines and iteration yields them; `sku in snapshot` is whether any
    line is of that SKU, with or without options. An empty cart is true, too: ask for its
    `line_count` or `len()`.

    `ordered` holds, for lines that were added to since check-out began, the units that it saw.
    `other` holds fields of the cart that a newer version stored: they are copied and merged along.
    """

    lines: tuple[LineItem, ...] = ()
    ordered: Mapping[str, int] = {}
    other: Mapping[str, str] = {}

    def __len__(self) -> int:
        return len(self.lines)

    def __bool__(self) -> bool:
        return True  # `if snapshot` asks whether there is one, as it does of a CartSummary

    def __iter__(self) -> Iterator[LineItem]:
        return iter(self.lines)

    def __contains__(self, sku: object) -> bool:
        return any(line.sku == sku for line in self.lines)

    def __repr__(self) -> str:
        first = [f"{_SHORT.repr(line.line_id)} x{line.quantity}" for line in self.lines[:_SHOWN]]
        if len(self.lines) > _SHOWN:
            first.append(f"{len(self.lines) - _SHOWN} more")
        return f"<CartSnapshot {self._outline()} lines=[{', '.join(first)}]>"

    def line(self, line_id: str) -> LineItem:
        """The line with this id.

        Raises:
            LineNotFoundError: no such line.
        """
        for line in self.lines:
            if line.line_id == line_id:
                return line
        raise LineNotFoundError(line_id)

    def totals(self, rounding: str = ROUND_HALF_EVEN) -> Totals:
        """The amounts rounded to the currency's digits, for an invoice or a payment."""
        priced = {line.line_id: line.subtotal for line in self.lines if line.subtotal is not None}
        rounded = round_parts(tuple(priced.values()), self.currency, rounding)
        return Totals(
            currency=self.currency,
            subtotal=add_up(rounded),
            line_subtotals=dict(zip(priced, rounded, strict=True)),
        )


class Totals(msgspec.Struct, frozen=True):
    """Rounded amounts: those of the lines add up to `subtotal`. Lines without price are absent."""

    currency: str
    subtotal: Decimal
    line_subtotals: Mapping[str, Decimal]


class Checkout(msgspec.Struct, frozen=True):
    """A cart handed over to be ordered: its content then, and the id under which to complete it.

    `replayed`: it had been handed over before, to a call with the same `operation_id`.
    """

    checkout_id: str
    deadline: datetime
    cart: CartSnapshot
    replayed: bool = False


class MergeReport(msgspec.Struct, frozen=True):
    """What a merge did to the target, in lines.

    `added` are new there, `raised` (or replaced) had other units before, `clamped` met the limit
    of units, `left` stayed out: kept by policy, or no room. What a merge does not take remains in
    the source's copy for 24 hours. `replayed`: this merge had been applied before.
    """

    merge_id: str = ""
    added: int = 0
    raised: int = 0
    clamped: int = 0
    left: int = 0
    replayed: bool = False


class CartChange:
    """What a change left behind: the cart's summary and, if one was touched, the line.

    `replayed`: this very change had been applied before and was recognised; the rest
    then shows the cart as it is now. `summary` is a `CartSnapshot` if the operation asked for it;
    `report` is what a merge did.

    A store may leave `summary` and `line` to be read from its reply when they are asked for: who
    only wants the change done waits for no more.
    """

    __slots__ = ("_line", "_load", "_replayed", "_report", "_summary")
    __match_args__ = ("summary", "line", "replayed", "report")

    def __init__(
        self,
        summary: CartSummary | None,
        line: LineItem | None = None,
        replayed: bool = False,
        report: MergeReport | None = None,
        *,
        load: Callable[[], tuple[CartSummary, LineItem | None]] | None = None,
    ) -> None:
        self._summary = summary
        self._line = line
        self._replayed = replayed
        self._report = report
        self._load = load

    @property
    def summary(self) -> CartSummary:
        """The cart after the change; a `CartSnapshot` if the operation asked for it."""
        return self._loaded()[0] if self._summary is None else self._summary

    @property
    def line(self) -> LineItem | None:
        """The line that was touched; None if it is gone, or the change is of no single line."""
        return self._loaded()[1]

    @property
    def replayed(self) -> bool:
        """Whether this very change had been applied before."""
        return self._replayed

    @property
    def report(self) -> MergeReport | None:
        """What a merge did."""
        return self._report

    @property
    def cart(self) -> CartSnapshot:
        """The whole cart, for an operation that was made with `want_cart`."""
        cart = self.summary
        if not isinstance(cart, CartSnapshot):
            raise TypeError("the operation did not ask for the whole cart")
        return cart

    @property
    def version(self) -> int:
        """The cart's version."""
        return self.summary.version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CartChange) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # as lines, which may hold options

    def __repr__(self) -> str:
        pairs = zip(self.__match_args__, self._values(), strict=True)
        shown = (f"{name}={value!r}" for name, value in pairs if value not in (None, False))
        return f"<CartChange {' '.join(shown)}>"

    def __reduce__(self) -> tuple[type[CartChange], tuple[Any, ...]]:
        return CartChange, self._values()

    def _loaded(self) -> tuple[CartSummary, LineItem | None]:
        if self._summary is None:
            assert self._load is not None
            self._summary, self._line = self._load()
        return self._summary, self._line

    def _values(self) -> tuple[Any, ...]:
        return self.summary, self.line, self.replayed, self.report


def _datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def check_cart_id(cart_id: object) -> str:
    """The cart id as text.

    Raises:
        InvalidCartIdError: not `str` or `int`, empty, over 256 characters, or not UTF-8.
    """
    if type(cart_id) is int and abs(cart_id) < 10**64:
        return str(cart_id)
    if not isinstance(cart_id, str) or not 0 < len(cart_id) <= 256 or not _is_utf8(cart_id):
        raise InvalidCartIdError("a cart id is an int or a str of 1 to 256 characters")
    return str(cart_id)


def check_sku(sku: object) -> str:
    """`sku` if it can name what is sold.

    Raises:
        InvalidSkuError: not a `str` of 1 to 128 characters, or with control characters,
            surrogates or outer white space.
    """
    if not isinstance(sku, str) or not _is_name(sku, 128):
        raise InvalidSkuError(
            "a SKU is 1 to 128 characters, without control characters or outer white space"
        )
    return sku


def check_line_id(line_id: object) -> str:
    """`line_id` if some line could have it.

    Raises:
        InvalidLineIdError: no SKU and choice of options gives this id.
    """
    if not isinstance(line_id, str) or not _is_name(sku_of(line_id), 128):
        raise InvalidLineIdError("a line id is a SKU, or a SKU and the digest of its options")
    return line_id


def has_only_characters(text: str, shortest: int, longest: int) -> bool:
    """Whether `text` has a length in this range and no control character or surrogate."""
    return shortest <= len(text) <= longest and _CONTROL.search(text) is None


@lru_cache(maxsize=8192)  # a shop has a few thousand names
def _is_name(text: str, longest: int) -> bool:
    return has_only_characters(text, 1, longest) and text == text.strip()


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def line_id_for(sku: str, options: Options | None = None) -> str:
    """The id of the line that holds `sku` with these options.

    It is the SKU itself for a plain line, else `sku:<digest of the options>`. A SKU that looks
    like such an id gets the digest of no options, so that no two lines share an id.
    """
    if not options and not _has_digest(sku):
        return sku
    return f"{sku}:{_options_digest(canonical_json(options or {}))}"


def sku_of(line_id: str) -> str:
    """The SKU of the line with this id: the inverse of `line_id_for`."""
    return line_id[:-17] if _has_digest(line_id) else line_id


def _has_digest(line_id: str) -> bool:
    return line_id[-17:-16] == ":" and _LINE_ID_DIGEST.search(line_id) is not None


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted names, no white space, ASCII (after RFC 8785)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=1024)
def _options_digest(text: str) -> str:
    return b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode().lower()
