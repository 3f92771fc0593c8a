"""The command: chooses measurements, takes them, prints the tables and writes the JSON."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from . import engine_time, hostile, library, memory, parallel, servers, service, startup
from .figures import Figure, Measurement
from .lab import ROOT, Lab
from .report import as_json, machine, machine_sentence, table, write_into
from .rounds import QUICK, Pace

FAMILIES: Mapping[str, Sequence[Measurement]] = {
    "library": library.MEASUREMENTS,
    "parallel": parallel.MEASUREMENTS,
    "engine": engine_time.MEASUREMENTS,
    "service": service.MEASUREMENTS,
    "memory": memory.MEASUREMENTS,
    "startup": startup.MEASUREMENTS,
    "servers": servers.MEASUREMENTS,
    "hostile": hostile.MEASUREMENTS,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the command line chooses."""
    chosen = _parser().parse_args(arguments)
    # So that a run that is ended from outside ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pace = QUICK if chosen.quick else Pace()
    if chosen.rounds:
        pace = replace(pace, rounds=chosen.rounds, load_rounds=chosen.rounds, starts=chosen.rounds)
    began = time.monotonic()
    with Lab(pace) as lab:
        about = machine(str(lab.binary))
        figures = {
            family: found
            for family in chosen.family or FAMILIES
            if (found := _taken(lab, FAMILIES[family], chosen.only))
        }
    minutes = f"It took {(time.monotonic() - began) / 60:.1f} minutes."
    text = "\n\n".join(f"### {family}\n\n{table(some)}" for family, some in figures.items())
    said = f"{machine_sentence(about)} {minutes}\n\n{text}"
    print(said)
    _write_json(chosen.json, {"machine": about, "pace": pace, "figures": as_json(figures)})
    if chosen.page:
        write_into(chosen.page, said)


def _taken(lab: Lab, measurements: Sequence[Measurement], only: str) -> list[Figure]:
    found: list[Figure] = []
    for measurement in measurements:
        if only.lower() in measurement.name.lower():
            print(f"{measurement.name} ...", file=sys.stderr, flush=True)
            found += measurement.run(lab)
    return found


def _write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("family", nargs="*", choices=[*FAMILIES, []], help="default: all")
    parser.add_argument("--only", default="", metavar="TEXT", help="measurements with TEXT in name")
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    parser.add_argument("--quick", action="store_true", help="does it run at all? No figure counts")
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / ".benchmarks" / "latest.json",
        help="where the figures go (default: .benchmarks/latest.json)",
    )
    parser.add_argument("--page", type=Path, help="a Markdown page whose table is to be replaced")
    return parser


if __name__ == "__main__":
    main()
