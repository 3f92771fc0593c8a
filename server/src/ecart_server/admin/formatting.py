"""How values are shown on a page. Nothing here trusts what is in a cart."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from markupsafe import Markup, escape

from ecart.money import display_text

_SPANS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def visible(text: object) -> Markup:
    """Text whose control and direction characters are spelled out, and that disturbs no other."""
    shown = Markup()
    for character in str(text):
        if character.isprintable():
            shown += character
        else:
            code = character.encode("unicode_escape", "surrogatepass").decode()
            shown += Markup('<span class="spelled">{}</span>').format(code)
    return Markup("<bdi>{}</bdi>").format(shown)


def count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def amount(value: Decimal | str | None, currency: str) -> str:
    """An amount with at least its currency's digits; a dash for none."""
    if value is None:
        return "–"
    whole, dot, fraction = display_text(Decimal(value), currency).partition(".")
    return f"{int(whole):,}{dot}{fraction}"


def moment(time: datetime | int | None) -> Markup:
    """A time in UTC; as a number, milliseconds since 1970. A dash for none."""
    if time is None:
        return escape("–")
    if isinstance(time, int):
        time = datetime.fromtimestamp(time / 1000, UTC)
    iso, text = f"{time:%Y-%m-%dT%H:%M:%SZ}", f"{time:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}">{}</time>').format(iso, text)


def span(seconds: float) -> str:
    """A length of time in its two largest units: `3 d 4 h`."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for size, unit in _SPANS:
        if left >= size or (size == 1 and not parts):
            parts.append(f"{left // size} {unit}")
        elif parts:
            break
        left %= size
    return " ".join(parts[:2])


def memory(size: int) -> str:
    """Bytes in the unit that fits."""
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def short(number: int) -> str:
    """A number for an axis: `500`, `2k`, `1.5M`."""
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + letter
    return str(number)


FILTERS = {
    "visible": visible,
    "count": count,
    "amount": amount,
    "moment": moment,
    "span": span,
    "memory": memory,
}
