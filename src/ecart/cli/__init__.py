"""The `ecart` command: a module for each command, gathered in `main`."""

from ecart.cli.doctor import doctor_command
from ecart.cli.main import main
from ecart.cli.migrate import migrate_command
from ecart.cli.serve import serve_command
from ecart.cli.show import show_command
from ecart.cli.transfer import export_command, import_command

__all__ = [
    "doctor_command",
    "export_command",
    "import_command",
    "main",
    "migrate_command",
    "serve_command",
    "show_command",
]
