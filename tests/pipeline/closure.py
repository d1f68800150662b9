"""Which of the project's files a file imports, directly or not, read from its import statements."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from samrs.work import fingerprint

ROOT = fingerprint.ROOT
PACKAGES = ("samrs", "stages", "tools")


@cache
def imports(file: Path) -> frozenset[Path]:
    """The project's non-empty files that a file imports directly."""
    return frozenset(fingerprint.imports(file, packages=PACKAGES))


def closure(*files: Path) -> set[Path]:
    """The files and all they import, directly or not."""
    return fingerprint.closure(*files, packages=PACKAGES)
