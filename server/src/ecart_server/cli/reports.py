"""How a report is said: as JSON, or in a few lines."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from ecart_server.cli.terminal import printable_json
from ecart_server.transfer import Problem, Problems


def say(report: Any, lines: list[str], as_json: bool, *, err: bool = False) -> None:
    """The report on standard output, or on standard error."""
    if as_json:
        click.echo(printable_json(msgspec.json.encode(report)), err=err)
    else:
        click.echo("\n".join(lines), err=err)


def problem_line(problem: Problem) -> str:
    """One problem, as it is told when it is met."""
    return f"{problem.at}: {problem.detail} [{problem.code}]"


def problem_lines(problems: Problems, what: str) -> list[str]:
    """How many problems of each code, in a line; no line for none."""
    told = ", ".join(f"{count:,} {code}" for code, count in sorted(problems.counts.items()))
    return [f"{problems.total:,} {what}: {told}"] if told else []


def counted(count: int, what: str) -> str:
    """`1 cart`, `2 carts`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def listed(*counts: tuple[int, str]) -> str:
    """`: 3 written, 1 refused`; nothing for what is none."""
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f": {told}" if told else ""


def speed(count: int, seconds: float) -> str:
    """`in 2.0 s, 500/s`."""
    rate = f", {count / seconds:,.0f}/s" if seconds else ""
    return f"in {seconds:.1f} s{rate}"
