"""`ecart doctor`."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from ecart.errors import EngineError
from ecart_server.app.location import CartLocation
from ecart_server.cli.location_options import takes_location
from ecart_server.cli.progress import progress_bar
from ecart_server.cli.terminal import one_line, printable_json
from ecart_server.doctor import SEVERITIES, Finding, Report, examine

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


@click.command("doctor")
@takes_location
@click.option(
    "--repair",
    is_flag=True,
    help="Repair what is certain: lost expiries, wrong counters, interrupted merges.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Examine about N carts instead of all.",
)
@click.option("--no-scan", is_flag=True, help="Examine the engine only, no carts.")
def doctor_command(
    location: CartLocation, repair: bool, as_json: bool, sample: int | None, no_scan: bool
) -> None:
    """Find what is wrong with the engine and the carts in it.

    Exit codes: 0 nothing to do (there may be notes), 1 errors or warnings, 2 wrong usage.
    """
    if no_scan and (repair or sample is not None):
        raise click.UsageError("--no-scan examines no cart: leave --repair and --sample away")
    report = _examined(location, sample=0 if no_scan else sample, repair=repair)
    if as_json:
        document = {"ok": report.is_healthy, **_plain(report)}
        click.echo(printable_json(msgspec.json.encode(document)))
    else:
        show_report(report, Console(highlight=False))
    sys.exit(0 if report.is_healthy else 1)


def _examined(location: CartLocation, **options: Any) -> Report:
    try:
        with location.engine_url() as url, progress_bar("carts") as bar:
            embedded = location.is_embedded
            return examine(url, location.keys, is_embedded=embedded, progress=bar.update, **options)
    except EngineError as error:
        report = Report()
        report.add("engine_unreachable", str(location.data_dir), str(error))
        return report


def _plain(report: Report) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(report)
    return plain


def show_report(report: Report, console: Console) -> None:
    """Prints the report as text: what was examined, each finding with its remedy, the sum."""
    for engine in report.engines:
        console.print(Text(one_line(f"{engine.kind} {engine.version} at {engine.at}")))
    if report.carts.examined or report.carts.complete:
        console.print(Text(_carts_line(report)))
    for finding in report.findings:
        console.print()
        _show_finding(finding, console)
    if report.repairs:
        console.print()
        for repair in report.repairs:
            console.print(Text(one_line(f"repaired {repair.at}: {repair.code}, {repair.done}")))
    console.print()
    console.print(_sum_line(report))


def _show_finding(finding: Finding, console: Console) -> None:
    times = f"  {finding.count:,} times" if finding.count > 1 else ""
    repaired = f"  {finding.repaired:,} repaired" if finding.repaired else ""
    severity = (f"{finding.severity:8}", _STYLES[finding.severity])
    console.print(Text.assemble(severity, (finding.code, "bold"), times + repaired))
    body = [Text(finding.means)]
    body += [
        Text.assemble((one_line(example.at), "dim"), ": ", one_line(example.detail))
        for example in finding.examples
    ]
    if finding.count > len(finding.examples):
        body.append(Text(f"and {finding.count - len(finding.examples):,} more", "dim"))
    body.append(Text.assemble(("Remedy: ", "green"), finding.remedy))
    for text in body:
        console.print(Padding(text, (0, 0, 0, 8), expand=False))


def _carts_line(report: Report) -> str:
    carts = report.carts
    states = ", ".join(f"{count:,} {state}" for state, count in carts.states.items())
    rate = f", {carts.examined / carts.seconds:,.0f} carts/s" if carts.seconds else ""
    which = "all" if carts.complete else "not all"
    number = f"{carts.examined:,} {'cart' if carts.examined == 1 else 'carts'} examined ({which})"
    return f"{number} in {carts.seconds:.1f} s{rate}" + (f": {states}" if states else "")


def _sum_line(report: Report) -> Text:
    left = [one.severity for one in report.findings if one.is_problem or one.severity == "note"]
    counts = [(name, left.count(name)) for name in SEVERITIES]
    summary = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts if n)
    if report.is_healthy:
        return Text("Nothing to do" + (f" ({summary})." if summary else "."), "bold green")
    return Text(summary + ".", "bold")
