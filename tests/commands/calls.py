"""The command line in this process: its imports cost more than its work."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from samrs.commands.group import samrs


def call(*words: str | Path) -> Result:
    """What ``samrs WORDS`` says and its exit status; an error not meant for the user is raised."""
    levels = {log: log.level for log in (logging.getLogger(), logging.getLogger("samrs"))}
    try:
        return CliRunner(catch_exceptions=False).invoke(
            samrs, [str(word) for word in words], prog_name="samrs"
        )
    finally:
        for log, level in levels.items():
            log.setLevel(level)


def refused(done: Result) -> str:
    """The one sentence of a call that failed for the user's sake."""
    assert (done.exit_code, done.stdout) == (1, ""), done.output
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("error: ").rstrip("\n")


def misused(done: Result) -> str:
    """What is said of a call that is no correct one."""
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert done.stderr.startswith("Usage: samrs")
    return done.stderr


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """``samrs WORDS`` in a process of its own that begins in a folder."""
    command = [sys.executable, "-m", "samrs", *map(str, words)]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
