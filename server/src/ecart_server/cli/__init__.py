"""The `ecart` command: a module for each command, gathered in `main`."""

from ecart_server.cli.carts import carts_command
from ecart_server.cli.completion import completion_command
from ecart_server.cli.doctor import doctor_command
from ecart_server.cli.main import main
from ecart_server.cli.migrate import migrate_command
from ecart_server.cli.purge import purge_command
from ecart_server.cli.serve import serve_command
from ecart_server.cli.show import show_command
from ecart_server.cli.top import top_command
from ecart_server.cli.transfer import export_command, import_command

__all__ = [
    "carts_command",
    "completion_command",
    "doctor_command",
    "export_command",
    "import_command",
    "main",
    "migrate_command",
    "purge_command",
    "serve_command",
    "show_command",
    "top_command",
]
