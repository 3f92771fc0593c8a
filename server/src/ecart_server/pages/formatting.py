"""How values look on a page. Text from carts is untrusted: what returns markup escapes it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from markupsafe import Markup, escape

from ecart.model import OptionValue
from ecart.money import display_text

CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
"""Currencies that shoppers know by a sign before the amount; of others the code stands behind."""

EXCERPT = 1000
"""Characters of a stored text that a page for operators shows."""
_SPANS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def visible(text: object) -> Markup:
    """Untrusted text, escaped, with control and direction characters spelled out (`\\u202e`).

    `<bdi>` isolates its writing direction from the text around it.
    """
    shown = str(escape(str(text)))
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else _spelled(c) for c in shown)
    return Markup(f"<bdi>{shown}</bdi>")


def _spelled(character: str) -> str:
    code = character.encode("unicode_escape", "surrogatepass").decode()
    return f'<span class="spelled">{code}</span>'


def excerpt(text: object) -> str:
    """The beginning of a long text."""
    shown = str(text)
    return shown if len(shown) <= EXCERPT else f"{shown[:EXCERPT]}…"


def count(number: int) -> str:
    """A number with commas between thousands."""
    return f"{number:,}"


def amount(value: Decimal | str | None, currency: str) -> str:
    """An amount with the decimals of its currency (ISO 4217) or more; a dash for none."""
    if value is None:
        return "–"
    whole, dot, fraction = display_text(Decimal(value), currency).partition(".")
    return f"{int(whole):,}{dot}{fraction}"


def price(amount: str, currency: str) -> str:
    """An amount with its currency as shoppers write it: `$4.20`, `4.20 CHF`."""
    sign = CURRENCY_SIGNS.get(currency)
    return f"{sign}{amount}" if sign else f"{amount}\N{NO-BREAK SPACE}{currency}"


def option_value(value: OptionValue) -> str:
    """The value of a product's option: `yes` and `no` for booleans, `none` for null."""
    if value is None:
        return "none"
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


def timestamp(time: datetime | int | None) -> Markup:
    """A time in UTC, in a `<time>` element; a dash for none. An int is Unix milliseconds."""
    if time is None:
        return escape("–")
    if isinstance(time, int):
        time = datetime.fromtimestamp(time / 1000, UTC)
    iso, text = f"{time:%Y-%m-%dT%H:%M:%SZ}", f"{time:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}">{}</time>').format(iso, text)


def duration(seconds: float) -> str:
    """A duration in its two largest units: `3 d 4 h`."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for size, unit in _SPANS:
        if left >= size or (size == 1 and not parts):
            parts.append(f"{left // size} {unit}")
        elif parts:
            break
        left %= size
    return " ".join(parts[:2])


def byte_size(size: int) -> str:
    """A number of bytes in the largest unit that it fills: `1.5 KiB`."""
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


FILTERS = {
    "visible": visible,
    "excerpt": excerpt,
    "count": count,
    "amount": amount,
    "price": price,
    "option_value": option_value,
    "timestamp": timestamp,
    "duration": duration,
    "byte_size": byte_size,
}
"""The functions that templates have as filters."""
