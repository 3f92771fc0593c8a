"""Reading the tables of the pages in docs, to hold them against the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def table(page: str, *header: str) -> list[list[str]]:
    """The rows of the table of a page that has this header."""
    lines = iter((ROOT / page).read_text().splitlines())
    for line in lines:
        if cells(line) == list(header):
            next(lines)
            return [cells(row) for row in iter(lambda: next(lines, ""), "") if row[:1] == "|"]
    raise AssertionError(f"{page} has no table {header}")


def cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip()[1:-1])]


def codes_in(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)
