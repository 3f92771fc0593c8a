"""`python -m ecart`: the `ecart` command, where the server is installed."""

from __future__ import annotations

import sys
from importlib import import_module

_MISSING = """ecart: the command is in the distribution ecart-server, which is not installed.
From a checkout of the repository: pip install . ./server"""


def main() -> None:
    """Runs the command, or says on standard error what to install and exits with 1."""
    try:
        command = import_module("ecart_server.cli")
    except ModuleNotFoundError as error:
        if error.name != "ecart_server":
            raise
        sys.exit(_MISSING)
    command.main(prog_name="ecart")


if __name__ == "__main__":
    main()
