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
from ecart_server.cli.progress import progress_bar
from ecart_server.cli.reports import (
    breakdown,
    pluralize,
    print_report,
    problem_counts,
    timing,
)
from ecart_server.transfer import (
    CartWriter,
    ExportReport,
    Importer,
    ImportReport,
    Policy,
    atomic_file,
    export_carts,
    read_lines,
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
    is_mixed = to == _STDIO and sys.stdout.isatty()
    with (
        location.engine_url() as url,
        progress_bar("carts", is_shown=not is_mixed) as bar,
        _opened(to) as file,
    ):
        check_deployment(url, location.keys)
        report = export_carts(
            url,
            location.keys,
            lambda line: file.write(line.encode("ascii")),
            in_order=in_order,
            on_problem=bar.print_problem,
            progress=bar.update,
        )
    print_report(report, _export_lines(report), as_json, err=to == _STDIO)
    sys.exit(1 if report.problems.total else 0)


@click.command("import")
@click.argument("file", type=click.File("rb"), default=_STDIO)
@takes_location
@click.option("--update", is_flag=True, help="Replace older versions of the same cart.")
@click.option("--replace", is_flag=True, help="Replace any cart that is there.")
@click.option(
    "--from-line",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Skip the lines before this one.",
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
    """Import carts from the lines of FILE, or of standard input.

    A repeat changes nothing. A cart that is there and differs stays as it is and is reported,
    unless --update or --replace is given. Exit code 1 if a line was broken or refused.
    """
    if update and replace:
        raise click.UsageError("--replace does all that --update does: leave one away")
    policy: Policy = "replace" if replace else "update" if update else "keep"
    report = ImportReport()
    try:
        _import(file, location, policy, from_line, report)
    finally:
        if report.lines or report.complete:
            print_report(report, _import_lines(report), as_json, err=not report.complete)
    sys.exit(1 if report.problems.total else 0)


def _import(
    file: BinaryIO, location: CartLocation, policy: Policy, from_line: int, report: ImportReport
) -> None:
    size = _size_of(file)
    with (
        location.engine_url() as url,
        # Of a pipe the size is not known, and the program that feeds it may show its own progress.
        progress_bar("carts", is_shown=size is not None) as bar,
    ):
        ensure_deployment(url, location.keys)
        with contextlib.closing(CartWriter(url, policy)) as writer:
            importer = Importer(writer, location.keys, report, bar.print_problem)
            importer.run(
                read_lines(file),
                from_line=from_line,
                progress=lambda lines, taken: bar.update(lines, 0, fraction=taken / (size or 1)),
            )


@contextlib.contextmanager
def _opened(to: str) -> Iterator[BinaryIO]:
    if to != _STDIO:
        with atomic_file(Path(to)) as file:
            yield file
        return
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def _size_of(file: BinaryIO) -> int | None:
    """In bytes; None for a stream of unknown length."""
    try:
        path = Path(str(file.name))
        return path.stat().st_size if path.is_file() else None
    except (AttributeError, TypeError, OSError):
        return None


def _export_lines(report: ExportReport) -> list[str]:
    states = sorted((state, count) for state, count in report.states.items())
    done = f"{pluralize(report.carts, 'cart')} exported {timing(report.carts, report.seconds)}"
    done += breakdown(*((count, state) for state, count in states))
    return [done, *problem_counts(report.problems, "left out")]


def _import_lines(report: ImportReport) -> list[str]:
    done = breakdown(
        (report.written, "written"),
        (report.same, "here already"),
        (report.newer, "here in a later version"),
        (report.ended, "ended meanwhile"),
        (report.refused, "refused"),
        (report.broken, "broken"),
    )
    lines = [f"{pluralize(report.lines, 'line')} read {timing(report.lines, report.seconds)}{done}"]
    lines += problem_counts(report.problems, "not taken")
    if not report.complete:
        lines.append(
            f"Stopped. All lines before {report.next_line} are done: start again, "
            f"or continue with --from-line {report.next_line}."
        )
    return lines
