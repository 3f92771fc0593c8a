"""Completion of commands and options, and durations as people write them."""

from __future__ import annotations

import os
import shutil
import subprocess

import click
import pytest
from click.testing import CliRunner

from ecart_server.cli import main
from ecart_server.cli.durations import DURATION, format_duration
from serving import COMMAND


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    """That asks ecart, and that its shell can read, where it is installed."""
    said = CliRunner().invoke(main, ["completion", shell])

    assert said.exit_code == 0
    assert f"_ECART_COMPLETE={shell}_complete" in said.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=said.stdout.encode(), check=True)


def test_commands_and_options_are_completed() -> None:
    """What the script asks for is answered."""
    for words, expected in {
        "ecart ex": "plain,export",
        "ecart import --fr": "plain,--from-line",
    }.items():
        env = {"_ECART_COMPLETE": "bash_complete", "COMP_WORDS": words}
        count = str(len(words.split()) - 1)
        code = "import sys; sys.argv[0] = 'ecart'; from ecart_server.cli import main; main()"
        said = subprocess.run(
            [COMMAND[0], "-c", code],
            env={**os.environ, **env, "COMP_CWORD": count},
            capture_output=True,
            text=True,
        )
        assert expected in said.stdout.splitlines(), said


def test_another_shell_is_wrong_usage() -> None:
    """Exit code 2."""
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2


@pytest.mark.parametrize(
    "text, seconds",
    [("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800), ("2w", 1_209_600), ("45", 45)],
)
def test_durations(text: str, seconds: int) -> None:
    """A number and a unit; seconds without one."""
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-1h", "1 h", "1y", "١h", "1h30m", "9" * 12])
def test_what_is_no_duration(text: str) -> None:
    """Is wrong usage."""
    with pytest.raises(click.BadParameter, match="is no duration"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3700, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_durations_are_formatted(seconds: float, text: str) -> None:
    """In the two largest units."""
    assert format_duration(seconds) == text
