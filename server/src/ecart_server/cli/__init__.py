"""The `ecart` command: a module for each command, gathered in `main`."""

from ecart_server.cli.main import main

__all__ = ["main"]
