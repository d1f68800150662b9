"""Files of a git revision, read as data: nothing of it is checked out, imported or run.

That is why the same code may read a stranger's fork with a token at hand.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from samrs.core.errors import ProductError, UnknownNameError

RELEASE = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+[\w.-]*")
MAX_BYTES = 8 * 2**20
"""Metrics and parameters are small; a larger file is refused unread."""


@dataclass(frozen=True)
class Blob:
    """A file of a revision.

    Args:
        blob_id: git's hash of its bytes: equal hashes are equal files.
        size: bytes.
    """

    blob_id: str
    size: int


def git(repo: Path, *arguments: str) -> bytes:
    """What a git command prints.

    Raises:
        UnknownNameError: git refuses, with its own words.
    """
    done = subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnknownNameError(
            f"{repo}: git {arguments[0]} failed, got {said[-1] if said else 'no message'!r}; "
            "two commits of this repository are needed; fetch both with their history"
        )
    return done.stdout


def commit(repo: Path, revision: str) -> str:
    """The full hash of a commit, tag or branch.

    Raises:
        UnknownNameError: there is none of that name.
    """
    name = f"{revision}^{{commit}}"
    try:
        return git(repo, "rev-parse", "--verify", "--end-of-options", name).decode().strip()
    except UnknownNameError as error:
        raise UnknownNameError(
            f"{repo}: no such commit, got {revision!r}; a commit, tag or branch of this repository "
            "is needed; fetch it with its history, or correct the name"
        ) from error


def release_tag(repo: Path) -> str | None:
    """The newest tag ``vX.Y.Z`` of the commit that is checked out; None where it has none."""
    listed = git(repo, "tag", "--points-at", "HEAD", "--sort=-version:refname").decode().split()
    return next((tag for tag in listed if RELEASE.fullmatch(tag)), None)


def merge_base(repo: Path, base: str, head: str) -> str:
    """The commit where ``head`` left ``base``: what came to ``base`` since is no change of head's.

    Raises:
        UnknownNameError: the two have no common commit here.
    """
    return git(repo, "merge-base", commit(repo, base), commit(repo, head)).decode().strip()


def files(repo: Path, revision: str, *paths: str) -> dict[str, Blob]:
    """Regular files under some paths of a revision, by path; links are left out."""
    command = ("ls-tree", "-r", "-z", "-l", "--full-tree", commit(repo, revision), "--", *paths)
    found = {}
    for line in git(repo, *command).decode(errors="replace").split("\0"):
        if line:
            about, path = line.split("\t", 1)
            mode, _, blob_id, size = about.split()
            if mode in ("100644", "100755"):
                found[path] = Blob(blob_id, int(size))
    return found


def read(repo: Path, path: str, blob: Blob) -> bytes:
    """The bytes of a file.

    Args:
        path: its name, for the error.

    Raises:
        ProductError: it is larger than ``MAX_BYTES``.
    """
    if blob.size > MAX_BYTES:
        raise ProductError(
            f"{path}: file too large, got {blob.size:,} bytes; metrics and parameters of up to "
            f"{MAX_BYTES:,} bytes are read; write large tables to data/"
        )
    return git(repo, "cat-file", "blob", blob.blob_id)
