"""A line as text: what stores keep, and what counts against the limit of a cart's bytes.

    :<line id>    quantity|unit price|position|title|attributes and extra

Attributes are `=<letter><text>|` each; the extra is JSON of options and details. What counts is
the field's name and all that stands behind the position: numbers are short, so that a change of
the quantity alone never makes a cart larger.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecart.model import LINE_ATTRIBUTES, Details, LineItem, Options, canonical_json
from ecart.money import canonical_text


def line_field(line_id: str) -> str:
    """The name of the field of a line."""
    return ":" + line_id


def price_text(line: LineItem) -> str:
    """The line's price as stores spell it; empty while there is none."""
    return "" if line.unit_price is None else canonical_text(line.unit_price)


def title_text(title: str | None) -> str:
    """A title, escaped to stand between bars; empty for none."""
    return "" if title is None else '"' + _escaped(title)


def extra_text(options: Options, details: Details | None) -> str:
    """Options and details as the JSON at the end of a line; empty if there is neither."""
    extra: dict[str, object] = {}
    if options:
        extra["o"] = options
    if details is not None:
        extra["d"] = details
    return canonical_json(extra) if extra else ""


def line_text(line: LineItem) -> str:
    """The value of a line without its position."""
    return f"{line.quantity}|{price_text(line)}|{_behind_numbers(line)}"


def _behind_numbers(line: LineItem) -> str:
    extra = extra_text(line.options, line.details)
    return f"{title_text(line.title)}|{_attributes_text(line)}{extra}"


def _attributes_text(line: LineItem) -> str:
    if not line.other and not LINE_ATTRIBUTES:
        return ""
    values = {**line.other}
    for letter, name in LINE_ATTRIBUTES.items():
        if (value := getattr(line, name)) is not None:
            values[letter] = value
    # A brace is escaped, too, so that the extra behind it is found.
    return "".join(
        f"={letter}{_escaped(values[letter]).replace('{', '%7B')}|" for letter in sorted(values)
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("|", "%7C")


def bytes_of(lines: Iterable[LineItem]) -> int:
    """The bytes of lines that count against `max_cart_bytes`."""
    texts = (line_field(line.line_id) + _behind_numbers(line) for line in lines)
    return sum(len(text.encode()) for text in texts)
