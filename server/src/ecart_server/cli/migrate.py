"""`ecart migrate-1.0`."""

from __future__ import annotations

import sys

import click

from ecart.money import check_currency
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
from ecart_server.redis_admin.connections import opened_nodes
from ecart_server.transfer import Migration, MigrationOptions, MigrationReport


def _checked_template(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if "{}" not in value:
        raise click.BadParameter("it needs {}, which stands for the user's id")
    return value


@click.command("migrate-1.0")
@takes_location
@click.option(
    "--from",
    "source",
    metavar="URL",
    help="Where the old carts are; without it, where the new ones are.",
)
@click.option("--write", is_flag=True, help="Write the carts. Without it, nothing is changed.")
@click.option(
    "--delete",
    is_flag=True,
    help="With --write: delete an old cart when the new one was written and read back.",
)
@click.option(
    "--currency",
    envvar="ECART_CURRENCY",
    default="USD",
    show_default=True,
    help="Of all amounts: the old carts named none.",
)
@click.option(
    "--cart-id",
    default="{}",
    show_default=True,
    metavar="TEXT",
    callback=_checked_template,
    help="The id of a user's cart, with {} for the user's id.",
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def migrate_command(
    source: str | None,
    write: bool,
    delete: bool,
    currency: str,
    cart_id: str,
    as_json: bool,
    location: CartLocation,
) -> None:
    """Bring the carts of E-Cart 1.0.2 over: show what would happen, or do it with --write.

    A cart comes over whole or not at all, with the time to live that it has left, and only where
    there is no cart of its id. It is safe to repeat. Exit code 1 if a cart was refused.
    """
    if delete and not write:
        raise click.UsageError("--delete is for what --write has written")
    options = MigrationOptions(
        write=write, delete=delete, currency=check_currency(currency), cart_id=cart_id
    )
    report = _migrate(location, source, options)
    print_report(report, _lines(report, delete), as_json)
    sys.exit(1 if report.refused else 0)


def _migrate(
    location: CartLocation, source: str | None, options: MigrationOptions
) -> MigrationReport:
    with (
        location.engine_url() as url,
        progress_bar("carts") as bar,
        location.store(url) as store,
        opened_nodes(source or url) as nodes,
    ):
        check = ensure_deployment if options.write else check_deployment
        check(url, location.keys)
        return Migration(nodes, store, options, bar.print_problem).run(bar.update)


def _lines(report: MigrationReport, delete: bool) -> list[str]:
    what = f"{pluralize(report.carts, 'cart')} of E-Cart 1.0, {pluralize(report.lines, 'line')}"
    done = breakdown(
        (report.written, "to be written" if report.dry_run else "written"),
        (report.same, "brought over before"),
        (report.refused, "refused"),
    )
    lines = [f"{what}, {timing(report.carts, report.seconds)}{done}"]
    lines += problem_counts(report.problems, "refused")
    if report.dry_run:
        lines.append("Nothing was changed. --write writes the carts.")
    else:
        lines.append(
            f"{pluralize(report.deleted, 'old cart')} deleted." if delete else "The old carts stay."
        )
    return lines
