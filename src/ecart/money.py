"""Exact amounts of money and their currencies. The only module that rounds.

An amount is a non-negative `Decimal` with at most 15 digits before the point and 9 after it.
Sums and products here are exact whatever decimal context the caller has set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

from ecart.errors import InvalidAmountError, InvalidCurrencyError

MAX_UNITS = 2**53
"""Whole units that a sum must stay below: the scripts add in IEEE 754 doubles."""

NANOS_PER_UNIT = 10**9

ZERO = Decimal(0)

_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)
_LONGEST = 25
_FORM = "an amount is digits, at most 15, with at most 9 more after a point"
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_ROUNDING = Context(prec=80, traps=[InvalidOperation])

# ISO 4217, list one: alphabetic codes in use, by the number of digits of the minor unit.
_CODES_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP "
    "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP "
    "GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK "
    "LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER "
    "ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: digits for digits, codes in _CODES_BY_DIGITS.items() for code in codes.split()}

Amount = int | str | float | Decimal
"""What is accepted as an amount; a float stands for its shortest text."""


def parse_amount(value: Amount) -> Decimal:
    """The exact amount that `value` writes, without trailing zeros.

    Raises:
        InvalidAmountError: not finite, negative, or not of the form `digits[.up to 9 digits]`.
    """
    if type(value) is str:
        text: str | None = value
    else:
        text = _text_of(value) if type(value) is Decimal else _plain_text(value)
    if text is None or len(text) > _LONGEST:
        raise InvalidAmountError(_FORM)
    return _parse_text(text)


@lru_cache(maxsize=8192)
def _parse_text(text: str) -> Decimal:
    # A shop has few prices beside its many carts.
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmountError(_FORM)
    return _without_trailing_zeros(Decimal(text))


def _plain_text(value: object) -> str | None:
    match value:
        case Decimal():
            return _text_of(value)
        case bool():
            return None
        case str():
            return value
        case int():
            return str(value) if 0 <= value < 10**15 else None
        case float():
            return _text_of(Decimal(repr(value)))
        case _:
            return None


def _text_of(amount: Decimal) -> str | None:
    text = str(amount)
    if _AMOUNT.fullmatch(text):
        return text
    # The exponent is checked first: written out, 1E+9999999 is ten million digits.
    plain = amount.is_finite() and -40 <= amount.adjusted() <= 15
    return format(_without_trailing_zeros(amount), "f") if plain else None


def _without_trailing_zeros(amount: Decimal) -> Decimal:
    if len(amount.as_tuple().digits) > 60:
        return amount
    short = amount.normalize(_EXACT)
    return short.quantize(Decimal(1), context=_EXACT) if short.as_tuple().exponent > 0 else short  # type: ignore[operator]


def check_currency(code: object) -> str:
    """`code` if it is an ISO 4217 alphabetic code in use.

    Raises:
        InvalidCurrencyError: anything else.
    """
    if not isinstance(code, str) or code not in _DIGITS:
        raise InvalidCurrencyError("a currency is an ISO 4217 code of three capital letters")
    return code


def currency_digits(currency: str) -> int:
    """Digits of the currency's minor unit: 2 for USD, 0 for JPY, 3 for KWD (ISO 4217)."""
    return _DIGITS[check_currency(currency)]


def multiply(amount: Decimal, quantity: int) -> Decimal:
    """`amount` × `quantity`, exact."""
    return _EXACT.multiply(amount, quantity)


def add_up(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    total = ZERO
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def to_parts(amount: Decimal) -> tuple[int, int]:
    """Whole units and billionths of `amount`."""
    return divmod(int(amount.scaleb(9, _EXACT)), NANOS_PER_UNIT)


def from_parts(units: int, nanos: int) -> Decimal:
    """The amount of so many whole units and billionths, without trailing zeros."""
    if not nanos:
        return Decimal(units)
    return Decimal(f"{units}.{nanos:09}".rstrip("0"))


def canonical_text(amount: Decimal) -> str:
    """The one text an amount has in the store: no exponent, no trailing zeros."""
    text = str(amount)
    return format(amount, "f") if "E" in text else text


def display_text(amount: Decimal, currency: str) -> str:
    """The exact amount with at least the currency's digits: `19.90`, `0.005`, `300` (JPY)."""
    whole, _, fraction = canonical_text(amount).partition(".")
    fraction = fraction.ljust(_DIGITS[currency], "0")
    return f"{whole}.{fraction}" if fraction else whole


def round_amount(amount: Decimal, currency: str, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """`amount` at the currency's digits; half-even unless another `decimal` rounding is named."""
    return amount.quantize(_minor_unit(currency), rounding=rounding, context=_ROUNDING)


def round_parts(
    parts: Sequence[Decimal], currency: str, rounding: str = ROUND_HALF_EVEN
) -> tuple[Decimal, ...]:
    """The parts at the currency's digits, adding up to their rounded total.

    Each part is cut, and the minor units that are then missing go to the parts that lost most
    (largest remainder; earlier parts first among equals).
    """
    unit = _minor_unit(currency)
    cut = [part.quantize(unit, rounding=ROUND_DOWN, context=_ROUNDING) for part in parts]
    missing = round_amount(add_up(parts), currency, rounding) - add_up(cut)
    by_loss = sorted(range(len(parts)), key=lambda i: cut[i] - parts[i])
    for index in by_loss[: int(missing / unit)]:
        cut[index] = _EXACT.add(cut[index], unit)
    return tuple(cut)


def _minor_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-currency_digits(currency))
