"""The group of commands, and how it fails."""

from __future__ import annotations

import sys
from typing import Any

import click

from ecart.errors import EcartError
from ecart_server.cli.carts import carts_command
from ecart_server.cli.completion import completion_command
from ecart_server.cli.doctor import doctor_command
from ecart_server.cli.migrate import migrate_command
from ecart_server.cli.purge import purge_command
from ecart_server.cli.serve import serve_command
from ecart_server.cli.show import show_command
from ecart_server.cli.terminal import printable
from ecart_server.cli.top import top_command
from ecart_server.cli.transfer import export_command, import_command


class _Group(click.Group):
    """Shows errors of ecart as one line and exits with 1; a stack trace helps no operator."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EcartError as error:
            click.echo(f"ecart: {printable(str(error))} [{error.code}]", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecart-server", prog_name="ecart")
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
    doctor_command,
    completion_command,
):
    main.add_command(command)
