"""The `ecart` command: a module for each command, gathered in `main`."""

from ecart.cli.bench import bench_command
from ecart.cli.carts import carts_command
from ecart.cli.completion import completion_command
from ecart.cli.doctor import doctor_command
from ecart.cli.main import main
from ecart.cli.migrate import migrate_command
from ecart.cli.purge import purge_command
from ecart.cli.serve import serve_command
from ecart.cli.show import show_command
from ecart.cli.top import top_command
from ecart.cli.transfer import export_command, import_command

__all__ = [
    "bench_command",
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
