"""The group of commands, and how it fails."""

from __future__ import annotations

import sys
from typing import Any

import click

from ecart.cli.bench import bench_command
from ecart.cli.carts import carts_command
from ecart.cli.completion import completion_command
from ecart.cli.doctor import doctor_command
from ecart.cli.migrate import migrate_command
from ecart.cli.purge import purge_command
from ecart.cli.serve import serve_command
from ecart.cli.show import show_command
from ecart.cli.terminal import printable
from ecart.cli.top import top_command
from ecart.cli.transfer import export_command, import_command
from ecart.errors import EcartError


class _Group(click.Group):
    """Shows errors of ecart as one line and exits with 1; a stack trace helps no operator."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EcartError as error:
            click.echo(f"ecart: {printable(str(error))} [{error.code}]", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecart", prog_name="ecart")
def main() -> None:
    """The shopping cart that never loses an item.

    Exit codes: 0 done, 1 refused or failed (the message ends in the error's code), 2 wrong usage.
    """


for command in (
    serve_command,
    carts_command,
    show_command,
    top_command,
    purge_command,
    export_command,
    import_command,
    migrate_command,
    bench_command,
    doctor_command,
    completion_command,
):
    main.add_command(command)
