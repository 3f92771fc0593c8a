"""Prints the report of a command: as JSON, or as a few lines of text."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from ecart_server.cli.terminal import printable_json
from ecart_server.transfer import ProblemSummary, TransferProblem


def print_report(report: Any, lines: list[str], as_json: bool, *, err: bool = False) -> None:
    """The report as JSON, else the lines; on standard output, or with `err` on standard error."""
    if as_json:
        click.echo(printable_json(msgspec.json.encode(report)), err=err)
    else:
        click.echo("\n".join(lines), err=err)


def problem_line(problem: TransferProblem) -> str:
    """One problem in a line: where, what, and its code."""
    return f"{problem.at}: {problem.detail} [{problem.code}]"


def problem_counts(problems: ProblemSummary, what: str) -> list[str]:
    """How many problems of each code there were, in a line; no line if there were none."""
    counts = ", ".join(f"{count:,} {code}" for code, count in sorted(problems.counts.items()))
    return [f"{problems.total:,} {what}: {counts}"] if counts else []


def pluralize(count: int, noun: str) -> str:
    """`1 cart`, `2 carts`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def breakdown(*counts: tuple[int, str]) -> str:
    """`: 3 written, 1 refused`, without the counts that are zero."""
    parts = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f": {parts}" if parts else ""


def timing(count: int, seconds: float) -> str:
    """`in 2.0 s, 500/s`."""
    rate = f", {count / seconds:,.0f}/s" if seconds else ""
    return f"in {seconds:.1f} s{rate}"
