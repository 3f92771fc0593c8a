"""`ecart serve`."""

from __future__ import annotations

import os
from typing import Any, get_args

import click

from ecart.catalog import as_catalog
from ecart.model import MergePolicy
from ecart.money import check_currency
from ecart.operations import QUARTER_HOUR
from ecart.stores.redis.durability import Mode, durability_of
from ecart_server.app.run import Options, serve
from ecart_server.cli.limits import rate_limits
from ecart_server.cli.where import where
from ecart_server.settings import LogFormat, LogLevel


@click.command("serve")
@click.option("--host", envvar="ECART_HOST", default="127.0.0.1", show_default=True)
@click.option(
    "--port",
    envvar="ECART_PORT",
    type=click.IntRange(1, 65_535),
    default=8000,
    show_default=True,
)
@click.option(
    "--workers",
    envvar="ECART_WORKERS",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes that serve; all share one engine.",
)
@where
@click.option(
    "--fsync",
    envvar="ECART_FSYNC",
    type=click.Choice(["always", "everysec"]),
    default="always",
    show_default=True,
    help="When the embedded engine syncs to disk; everysec is faster and can lose a second.",
)
@click.option(
    "--catalog",
    envvar="ECART_CATALOG",
    type=click.Path(dir_okay=False),
    help="CSV or JSON file of products, or a database's URL; without it, a sample.",
)
@click.option("--currency", envvar="ECART_CURRENCY", default="USD", show_default=True)
@click.option(
    "--ttl",
    envvar="ECART_TTL",
    type=click.IntRange(1, 365 * 24 * 3600),
    default=604_800,
    show_default=True,
    help="Seconds that a cart lives after its last change.",
)
@click.option(
    "--first-ttl",
    envvar="ECART_FIRST_TTL",
    type=click.IntRange(0, 365 * 24 * 3600),
    default=3600,
    show_default=True,
    help="Seconds that the cart of a first visit lives until the visitor is seen again; 0: as any.",
)
@click.option(
    "--trusted-origin",
    "trusted_origins",
    envvar="ECART_TRUSTED_ORIGINS",
    multiple=True,
    metavar="ORIGIN",
    help="A site whose pages may change carts, beside the service's own; may be repeated.",
)
@click.option(
    "--hold",
    envvar="ECART_HOLD",
    type=click.IntRange(1, 24 * 3600),
    default=QUARTER_HOUR,
    show_default=True,
    help="Seconds that a check-out holds the cart.",
)
@click.option(
    "--keep-additions",
    envvar="ECART_KEEP_ADDITIONS",
    is_flag=True,
    help="Keep what is added during a check-out for the next order, instead of refusing it.",
)
@click.option(
    "--merge-policy",
    envvar="ECART_MERGE_POLICY",
    type=click.Choice(get_args(MergePolicy)),
    default="sum",
    show_default=True,
    help="What a log-in does with lines that both carts have.",
)
@click.option(
    "--durability",
    envvar="ECART_DURABILITY",
    type=click.Choice(get_args(Mode)),
    default="primary",
    show_default=True,
    help="What has a change before it is answered: the primary, replicas too, or disks.",
)
@click.option(
    "--replicas",
    envvar="ECART_REPLICAS",
    type=click.IntRange(0),
    help="How many replicas that takes.",
)
@rate_limits
@click.option(
    "--log-format",
    envvar="ECART_LOG_FORMAT",
    type=click.Choice(get_args(LogFormat)),
    default="text",
    show_default=True,
    help="Lines for people, or JSON for machines.",
)
@click.option(
    "--log-level",
    envvar="ECART_LOG_LEVEL",
    type=click.Choice(get_args(LogLevel)),
    default="info",
    show_default=True,
)
@click.option(
    "--access-log",
    envvar="ECART_ACCESS_LOG",
    is_flag=True,
    help="Log each request: its route, status and duration.",
)
@click.option(
    "--admin-key",
    envvar="ECART_ADMIN_KEY",
    metavar="KEY",
    help="What opens the operator's view at /admin, which is not there without. Better set the "
    "variable: others see what a command was started with.",
)
@click.option(
    "--admin-write",
    envvar="ECART_ADMIN_WRITE",
    is_flag=True,
    help="Let the operator's view purge carts and release check-outs.",
)
@click.option(
    "--sweep-every",
    envvar="ECART_SWEEP_EVERY",
    type=click.IntRange(0, 7 * 24 * 3600),
    default=3600,
    show_default=True,
    help="Seconds between two sweeps of the index of carts; 0 for none.",
)
def serve_command(**options: Any) -> None:
    """Serve the HTTP API.

    ECART_SECRET holds the session secrets, the signing one first; ECART_OFFICE_KEYS the keys of
    the back office, whose routes are not there without one; ECART_METRICS_KEYS those of /metrics,
    without which only this machine can read it. All are lists with commas.
    """
    check_currency(options["currency"])
    try:
        durability_of(options["durability"], options["replicas"])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    as_catalog(options["catalog"], options["currency"]).lookup(())
    secrets: dict[str, Any] = {
        "secret": os.environ.get("ECART_SECRET"),
        "office_keys": os.environ.get("ECART_OFFICE_KEYS"),
        "metrics_keys": os.environ.get("ECART_METRICS_KEYS"),
    }
    serve(Options(**secrets, **options))
