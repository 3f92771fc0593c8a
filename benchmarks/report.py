"""The table and the JSON of a run, and the sentence about the machine that both carry."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .figures import Figure, Target

BEGIN, END = "<!-- written by make bench, from here -->", "<!-- to here -->"
HEAD = ("figure", "median", "middle half", "target", "", "beside")
_PACKAGES = ("redis", "hiredis", "starlette", "uvicorn", "uvloop", "httptools", "msgspec")


def machine(engine: str) -> dict[str, Any]:
    """Where and with what a run was made."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "engine": engine,
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.processor()


def machine_sentence(about: Mapping[str, Any]) -> str:
    """The machine in one sentence."""
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    return (
        f"Measured on {about['date']}: {about['cores']} cores of {about['cpu']}, load "
        f"{about['load']} before the run, {about['system']}, Python {about['python']}, "
        f"{about['engine']}, {packages}."
    )


def as_json(figures: Mapping[str, Sequence[Figure]]) -> list[dict[str, Any]]:
    """Every figure with all its values."""
    return [
        {
            "family": family,
            "name": figure.name,
            "unit": figure.unit,
            "median": figure.median,
            "quartiles": figure.quartiles,
            "target": figure.target,
            "reached": figure.reached,
            "note": figure.note,
            "values": figure.values,
            "beside": figure.beside,
            "beside_unit": figure.beside_unit if figure.beside else "",
        }
        for family, some in figures.items()
        for figure in some
    ]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table, aligned so that a terminal shows it too."""
    rows = [HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [" | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " | ".join("-" * max(3, width) for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def _row(figure: Figure) -> tuple[str, ...]:
    low, high = (shown(value) for value in figure.quartiles)
    unit = "" if figure.unit == "times" else f" {figure.unit}"
    spread = f"{low} to {high}" if low != high else ""
    reached = {None: "", True: "reached", False: "missed"}[figure.reached]
    told = "; ".join(filter(None, (_beside(figure), figure.note)))
    return (figure.name, shown(figure.median) + unit, spread, _target(figure.target), reached, told)


def _target(target: Target | None) -> str:
    return "" if target is None else f"{'≤' if target.at_most else '≥'} {shown(target.limit)}"


def _beside(figure: Figure) -> str:
    medians = [Figure("", values).median for values in figure.beside.values()]
    return f"{' / '.join(map(shown, medians))} {figure.beside_unit}" if medians else ""


def shown(value: float) -> str:
    """Three digits that count, none after a hundred."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def write_into(page: Path, text: str) -> None:
    """Replaces what an earlier run wrote into a page, between the two marks."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for a table: {BEGIN} ... {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
