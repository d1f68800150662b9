"""Parameters, metrics and plots of a commit, read as data: nothing is checked out, imported or run.

That is why the same code may read a stranger's fork with a token at hand.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.check.values import Plain, metrics_of, named
from samrs.core.errors import MissingInputError, ProductError, UnknownNameError
from samrs.core.parameters import PARAMS, parse_parameters

MAX_BYTES, MAX_FILES = 4 * 2**20, 1000
"""Parameters and metrics of a commit are small; more is refused unread."""


@dataclass(frozen=True)
class Commit:
    """What is compared of a commit.

    Args:
        revision: its full hash.
        params: nested parameters.
        parameters: the same by dotted name.
        metrics: by file and dotted name.
        plots: PNG files of metrics/ with git's hash of their bytes.
    """

    revision: str
    params: Mapping[str, Any]
    parameters: Mapping[str, Plain]
    metrics: Mapping[str, Mapping[str, Plain]]
    plots: Mapping[str, str]


def git(repo: Path, *arguments: str) -> bytes:
    """What a git command prints.

    Raises:
        UnknownNameError: git refuses, with its own words.
    """
    done = subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnknownNameError(
            f"git {' '.join(arguments)}: failed, got {said[-1] if said else 'no message'!r}; two "
            "commits of this repository are needed; fetch both with their history"
        )
    return done.stdout


def both(repo: Path, base: str, head: str) -> tuple[Commit, Commit]:
    """The commit where ``head`` left ``base``, and ``head``.

    Args:
        repo: a git repository that holds both with their history.
        base, head: commits, branches or tags.

    Raises:
        UnknownNameError: a commit is not there.
        MissingInputError: one has no params.yaml.
        ParameterError: params.yaml is unreadable.
        ProductError: a metrics file is unreadable, or there is too much.
    """
    names = [f"{name}^{{commit}}" for name in (base, head)]
    there, last = (
        git(repo, "rev-parse", "--verify", "--end-of-options", name).decode().strip()
        for name in names
    )
    left = git(repo, "merge-base", there, last).decode().strip()
    return _read(repo, left), _read(repo, last)


def _read(repo: Path, revision: str) -> Commit:
    """Read a commit; links and other irregular files are left out."""
    listed = git(
        repo, "ls-tree", "-r", "-z", "-l", "--full-tree", revision, "--", PARAMS, "metrics"
    )
    blobs, plots, size = {}, {}, 0
    for line in filter(None, listed.decode(errors="replace").split("\0")):
        about, path = line.split("\t", 1)
        mode, _, blob, length = about.split()
        if mode.startswith("100") and path.endswith(".png"):
            plots[path] = blob
        elif mode.startswith("100") and (path == PARAMS or path.endswith(".json")):
            blobs[path] = blob
            size += int(length)
    if size > MAX_BYTES or len(blobs) > MAX_FILES:
        raise ProductError(
            f"{revision[:10]}: too much to compare, got {len(blobs):,} files of {size:,} bytes; "
            f"params.yaml and metrics/ may hold {MAX_FILES:,} files of {MAX_BYTES:,} bytes in "
            "all; write large tables to data/"
        )
    if PARAMS not in blobs:
        raise MissingInputError(
            f"{revision[:10]}: no parameters, got no {PARAMS}; a commit of the pipeline is needed; "
            "name another"
        )
    texts = {path: git(repo, "cat-file", "blob", blob) for path, blob in blobs.items()}
    params = parse_parameters(texts.pop(PARAMS))
    metrics = {path: metrics_of(path, text) for path, text in texts.items()}
    return Commit(revision, params, named(PARAMS, params), metrics, plots)
