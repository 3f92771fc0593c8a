"""`ecart completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    bash: eval "$(ecart completion bash)" in ~/.bashrc; zsh alike in ~/.zshrc; fish: ecart
    completion fish | source.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    click.echo(kind(context.find_root().command, {}, "ecart", "_ECART_COMPLETE").source())
