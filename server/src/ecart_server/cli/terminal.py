"""Text that is safe to show: what shoppers wrote never drives a terminal."""

from __future__ import annotations

import json

import msgspec


def printable_json(document: bytes) -> str:
    """The same JSON, indented, with what is not printable as JSON itself escapes it."""
    text = msgspec.json.format(document, indent=2).decode()
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def printable(text: str) -> str:
    """Text whose control characters are spelled out, so that none reaches the terminal."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def one_line(text: str) -> str:
    """Printable text in which line breaks are spelled out, too."""
    return printable(text).replace("\n", "\\n")
