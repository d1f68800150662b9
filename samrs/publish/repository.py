"""A git and dvc repository, asked by its own commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from samrs.core.errors import SamrsError


class PublishError(SamrsError):
    """A release cannot be published; the repository and its remotes show nothing of it."""


@dataclass(frozen=True)
class Repository:
    """A working tree at ``root`` whose commands run in the environment ``env``."""

    root: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def git(self, *arguments: str, given: str = "") -> str:
        """What git prints, without the last newline.

        Args:
            given: what it reads on stdin.

        Raises:
            PublishError: git failed; the message ends with what it said.
        """
        return self._run("git", *arguments, given=given)

    def dvc(self, *arguments: str) -> str:
        """What this environment's dvc prints, as ``git`` does; progress goes to the terminal.

        Raises:
            PublishError: dvc failed; the message ends with what it said.
        """
        return self._run(sys.executable, "-m", "dvc", *arguments)

    def config(self, key: str) -> str | None:
        """A value of git's configuration; None where it is not set."""
        try:
            return self.git("config", "--get", key)
        except PublishError:
            return None

    def _run(self, program: str, *arguments: str, given: str = "") -> str:
        done = subprocess.run(  # noqa: S603 - a list, never a shell
            [program, *arguments],
            cwd=self.root,
            env={**self.env, "DVC_NO_ANALYTICS": "1"},
            input=given,
            stdout=subprocess.PIPE,
            stderr=None if sys.stderr.isatty() else subprocess.PIPE,  # None: a person sees it
            text=True,
            check=False,
        )
        if done.returncode:
            words = [w for w in (program, *arguments) if w not in (sys.executable, "-m")]
            said = " ".join((done.stderr or done.stdout).split()) or "nothing but what is above"
            raise PublishError(
                f"{self.root}: `{' '.join(words)}` failed, got exit {done.returncode}; 0 is "
                f"allowed; mend what it said and run the release again: {said}"
            )
        return done.stdout.rstrip("\n")
