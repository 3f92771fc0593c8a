"""`ecart bench`."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from ecart.bench import Row, measure
from ecart.cli.progress import meter
from ecart.cli.terminal import printable_json
from ecart.cli.where import where
from ecart.service.run import Options, engine_url


@click.command("bench")
@where
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 60),
    default=0.4,
    show_default=True,
    help="For each of the eight rows.",
)
@click.option("--json", "as_json", is_flag=True, help="The rows as JSON.")
def bench_command(seconds: float, as_json: bool, **where: Any) -> None:
    """Measure the store for a few seconds: adding and reading, beside a bare PING.

    On carts of a prefix of their own, which are removed afterwards.
    """
    options = Options(fsync="everysec", **where)
    with engine_url(options) as (url, _), meter("rows") as told:
        rows = measure(url, options.keys, seconds=seconds, progress=told.show)
    if as_json:
        click.echo(printable_json(msgspec.json.encode({"rows": rows})))
    else:
        Console(highlight=False).print(_table(rows))


def _table(rows: list[Row]) -> Table:
    table = Table()
    for name in ("operation", "clients", "per second", "p50 ms", "p99 ms", "of a ping"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    pings = {row.clients: row.p50_ms for row in rows if row.operation == "ping"}
    for row in rows:
        times = f"{row.p50_ms / pings[row.clients]:.1f}" if pings[row.clients] else "–"
        cells = (f"{row.per_second:,}", f"{row.p50_ms:.3f}", f"{row.p99_ms:.3f}", times)
        is_last = row.operation == "summary"
        table.add_row(row.operation, str(row.clients), *cells, end_section=is_last)
    return table
