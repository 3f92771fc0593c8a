"""A progress bar on standard error, if that is a terminal: count, rate and time left.

It is erased at the end.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ecart_server.cli.reports import problem_line
from ecart_server.cli.terminal import one_line
from ecart_server.transfer import TransferProblem


class ProgressBar:
    """The bar of one command; its methods serve as callbacks of what the command runs."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, count="", rate="")
        self._began = time.monotonic()

    def update(self, done: int, total: int, *, fraction: float | None = None) -> None:
        """Shows that `done` of `total` are done. `fraction`, from 0 to 1, stands in for a total."""
        completed, whole = (done, total) if fraction is None else (fraction, 1)
        seconds = time.monotonic() - self._began
        count = f"{done:,}" if fraction is not None else f"{done:,}/{total:,}"
        rate = f"{done / seconds:,.0f}/s" if seconds > 0.2 else ""
        self._bar.update(self._task, count=count, rate=rate, completed=completed, total=whole)

    def print_problem(self, problem: TransferProblem) -> None:
        """Prints a line above the bar; without a bar, a line."""
        text = Text(one_line(problem_line(problem)))
        self._bar.console.print(text, soft_wrap=True, highlight=False)


@contextlib.contextmanager
def progress_bar(what: str, *, is_shown: bool = True) -> Iterator[ProgressBar]:
    """The bar of a command that counts `what`."""
    console = Console(stderr=True)
    columns = (
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,  # it may be a pipe that takes the output of this command
    )
    # A hidden bar is never started: in rich 13 a disabled one prints a line at its end, too.
    with bar if is_shown and console.is_terminal else contextlib.nullcontext():
        yield ProgressBar(bar)
