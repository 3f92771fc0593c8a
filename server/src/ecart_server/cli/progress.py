"""A bar with rate and time left on standard error, if that is a terminal; it leaves no trace."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ecart_server.cli.terminal import one_line


class Meter:
    """What is shown while a command works."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, count="", rate="")
        self._began = time.monotonic()

    def show(self, done: int, total: int, *, of: float | None = None) -> None:
        """So many of so many are done; `of` instead tells the part, from 0 to 1."""
        completed, whole = (done, total) if of is None else (of, 1)
        seconds = time.monotonic() - self._began
        counted = f"{done:,}" if of is not None else f"{done:,}/{total:,}"
        rate = f"{done / seconds:,.0f}/s" if seconds > 0.2 else ""
        self._bar.update(self._task, count=counted, rate=rate, completed=completed, total=whole)

    def tell(self, text: str) -> None:
        """A line above the bar, printable; without a bar, a line."""
        self._bar.console.print(Text(one_line(text)), soft_wrap=True, highlight=False)


@contextlib.contextmanager
def meter(what: str, *, is_shown: bool = True) -> Iterator[Meter]:
    """A meter for a command that counts `what`."""
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
        redirect_stdout=False,  # it may be a pipe that takes what this command is for
    )
    # One that is not to be seen is not begun: in rich 13 a disabled one ends with a line, too.
    with bar if is_shown and console.is_terminal else contextlib.nullcontext():
        yield Meter(bar)
