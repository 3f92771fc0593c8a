"""`ecart export` and `ecart import`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from ecart_server.app.deployment_check import check_deployment, ensure_deployment
from ecart_server.app.location import CartLocation
from ecart_server.cli.location_options import takes_location
from ecart_server.cli.progress import meter
from ecart_server.cli.reports import counted, listed, problem_line, problem_lines, say, speed
from ecart_server.transfer import (
    ExportReport,
    Importer,
    ImportReport,
    Placer,
    Policy,
    export_carts,
    lines_of,
    whole_file,
)

_STDIO = "-"


@click.command("export")
@takes_location
@click.option(
    "--to",
    type=click.Path(dir_okay=False, allow_dash=True),
    default=_STDIO,
    show_default=True,
    metavar="FILE",
    help="Where the lines go; a file is there when it is complete. - is standard output.",
)
@click.option(
    "--sorted",
    "in_order",
    is_flag=True,
    help="By partition and key, so that two exports of the same carts are the same bytes.",
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def export_command(to: str, in_order: bool, as_json: bool, location: CartLocation) -> None:
    """Write every cart as a line of JSON.

    The report goes to standard output, or to standard error if the carts go there. Exit code 1
    if a cart was left out.
    """
    is_seen = to == _STDIO and sys.stdout.isatty()
    with (
        location.engine_url() as url,
        meter("carts", is_shown=not is_seen) as told,
        _opened(to) as file,
    ):
        check_deployment(url, location.keys)
        report = export_carts(
            url,
            location.keys,
            lambda line: file.write(line.encode("ascii")),
            in_order=in_order,
            tell=lambda problem: told.tell(problem_line(problem)),
            progress=told.show,
        )
    say(report, _export_lines(report), as_json, err=to == _STDIO)
    sys.exit(1 if report.problems.total else 0)


@click.command("import")
@click.argument("file", type=click.File("rb"), default=_STDIO)
@takes_location
@click.option("--update", is_flag=True, help="Replace older versions of the same cart.")
@click.option("--replace", is_flag=True, help="Replace whatever cart is there.")
@click.option(
    "--from-line",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Pass over the lines before this one.",
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def import_command(
    file: BinaryIO,
    update: bool,
    replace: bool,
    from_line: int,
    as_json: bool,
    location: CartLocation,
) -> None:
    """Put carts in place from the lines of FILE, or of standard input.

    A repeat changes nothing. A cart that is there and differs stays as it is and is reported,
    unless --update or --replace says otherwise. Exit code 1 if a line was broken or refused.
    """
    if update and replace:
        raise click.UsageError("--replace does all that --update does: leave one away")
    policy: Policy = "replace" if replace else "update" if update else "keep"
    report = ImportReport()
    try:
        _take_in(file, location, policy, from_line, report)
    finally:
        if report.lines or report.complete:
            say(report, _import_lines(report), as_json, err=not report.complete)
    sys.exit(1 if report.problems.total else 0)


def _take_in(
    file: BinaryIO, location: CartLocation, policy: Policy, from_line: int, report: ImportReport
) -> None:
    size = _size_of(file)
    with (
        location.engine_url() as url,
        # Who feeds a pipe knows how much is to come, and shows it.
        meter("carts", is_shown=size is not None) as told,
    ):
        ensure_deployment(url, location.keys)
        with contextlib.closing(Placer(url, policy)) as placer:
            importer = Importer(
                placer, location.keys, report, lambda problem: told.tell(problem_line(problem))
            )
            importer.run(
                lines_of(file),
                from_line=from_line,
                progress=lambda lines, taken: told.show(lines, 0, of=taken / (size or 1)),
            )


@contextlib.contextmanager
def _opened(to: str) -> Iterator[BinaryIO]:
    if to != _STDIO:
        with whole_file(Path(to)) as file:
            yield file
        return
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def _size_of(file: BinaryIO) -> int | None:
    """In bytes; None for what has no end yet."""
    try:
        path = Path(str(file.name))
        return path.stat().st_size if path.is_file() else None
    except (AttributeError, TypeError, OSError):
        return None


def _export_lines(report: ExportReport) -> list[str]:
    states = sorted((state, count) for state, count in report.states.items())
    did = f"{counted(report.carts, 'cart')} exported {speed(report.carts, report.seconds)}"
    did += listed(*((count, state) for state, count in states))
    return [did, *problem_lines(report.problems, "left out")]


def _import_lines(report: ImportReport) -> list[str]:
    did = listed(
        (report.written, "written"),
        (report.same, "here already"),
        (report.newer, "here in a later version"),
        (report.ended, "ended meanwhile"),
        (report.refused, "refused"),
        (report.broken, "broken"),
    )
    lines = [f"{counted(report.lines, 'line')} read {speed(report.lines, report.seconds)}{did}"]
    lines += problem_lines(report.problems, "not taken")
    if not report.complete:
        lines.append(
            f"Stopped. All before line {report.next_line} is settled: begin again, "
            f"or go on with --from-line {report.next_line}."
        )
    return lines
