"""A branch of the git host that holds DVC's objects, so that a project needs no server of its own.

The host serves a branch's files as they are, under an address that is made of the repository's: a
plain HTTP remote. Each release adds its objects; a file is called by its content, so none changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from samrs.publish.repository import PublishError, Repository

BRANCH = "dvc"
HOSTS = {
    "github.com": "https://raw.githubusercontent.com/{path}/{branch}",
    "gitlab.com": "https://gitlab.com/{path}/-/raw/{branch}",
    "codeberg.org": "https://codeberg.org/{path}/raw/branch/{branch}",
}
"""Where hosts serve the files of a branch."""
LARGEST = 100_000_000
"""Bytes of a file that GitHub takes: docs.github.com, "About large files on GitHub"."""

_REMOTE = re.compile(
    r"(?:[a-z+]+://)?(?:[^@/]+@)?(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w.-]+(?:/[\w.-]+)+)"
)


def address(remote: str) -> str | None:
    """Where the host of a git remote serves the files of the branch; None for unknown hosts.

    Args:
        remote: its address, as ``git remote get-url`` prints it, for HTTPS or SSH.
    """
    found = _REMOTE.fullmatch(remote.removesuffix("/").removesuffix(".git"))
    served = HOSTS.get(found["host"].lower()) if found else None
    return served.format(path=found["path"], branch=BRANCH) if found and served else None


def push_objects(repository: Repository, objects: Path, remote: str, message: str) -> str:
    """Add files to the branch of a git remote; what is on it stays.

    Args:
        repository: whose user commits.
        objects: folder of the files, laid out as a DVC remote.
        remote: address of the git remote.
        message: the commit's subject.

    Returns:
        The commit that is now the branch's last.

    Raises:
        PublishError: a file is too large for a git host, or git failed.
    """
    files = sorted(p.relative_to(objects).as_posix() for p in objects.rglob("*") if p.is_file())
    for name in files:
        if (size := (objects / name).stat().st_size) >= LARGEST:
            raise PublishError(
                f"{repository.root}: an object is too large for a branch, got {name} of {size:,} "
                f"bytes; less than {LARGEST:,} is allowed; give the dvc remote storage an address"
            )
    bare = objects.parent / "branch.git"
    index = {"GIT_DIR": str(bare), "GIT_INDEX_FILE": str(objects.parent / "branch.index")}
    made = Repository(objects, {**repository.env, **_user(repository), **index})
    made.git("init", "--quiet", "--bare", str(bare))
    old = made.git("ls-remote", remote, f"refs/heads/{BRANCH}").split()[:1]
    if old:
        made.git("fetch", "--quiet", "--depth", "1", "--no-tags", remote, f"refs/heads/{BRANCH}")
        made.git("read-tree", *old)
    blobs = made.git("hash-object", "-w", "--no-filters", "--stdin-paths", given="\n".join(files))
    entries = zip(blobs.splitlines(), files, strict=True)
    lines = "".join(f"100644 {blob}\t{name}\n" for blob, name in entries)
    made.git("update-index", "--add", "--index-info", given=lines)
    tree = made.git("write-tree")
    if old and tree == made.git("rev-parse", f"{old[0]}^{{tree}}"):
        return old[0]
    parents = [word for commit in old for word in ("-p", commit)]
    commit = made.git("commit-tree", tree, *parents, "-m", message)
    made.git("push", "--quiet", remote, f"{commit}:refs/heads/{BRANCH}")
    return commit


def _user(repository: Repository) -> dict[str, str]:
    """The repository's user as variables of a commit made elsewhere."""

    def told() -> Iterator[tuple[str, str]]:
        for key in ("name", "email"):
            if (value := repository.config(f"user.{key}")) is not None:
                yield f"GIT_AUTHOR_{key.upper()}", value
                yield f"GIT_COMMITTER_{key.upper()}", value

    return dict(told())
