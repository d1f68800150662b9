"""What must hold before anything is published."""

from __future__ import annotations

import json

from samrs.check.remotes import PLACEHOLDER
from samrs.core.shards import read_manifest
from samrs.publish.artifacts import products
from samrs.publish.repository import PublishError, Repository


def check_tree(repository: Repository) -> str:
    """See that everything is committed; returns the branch.

    Raises:
        PublishError: a file is changed or untracked, or no branch is checked out.
    """
    if changed := repository.git("status", "--porcelain").splitlines():
        raise PublishError(
            f"{repository.root}: the tree is not clean, got {len(changed)} changed or untracked "
            f"files ({', '.join(line[3:] for line in changed[:3])}); none is allowed; commit them"
        )
    branch = repository.git("branch", "--show-current")
    if not branch:
        raise PublishError(
            f"{repository.root}: no branch is checked out, got a detached HEAD; a branch is "
            "needed for the commit of the changelog; git switch to it"
        )
    return branch


def check_pipeline(repository: Repository) -> None:
    """See that every stage and output is as dvc.lock says.

    Raises:
        PublishError: ``dvc status`` lists something.
    """
    if stale := json.loads(repository.dvc("status", "--json") or "{}"):
        raise PublishError(
            f"{repository.root}: outputs are not up to date, got {', '.join(sorted(stale)[:5])}; "
            "no change in `dvc status` is allowed; run dvc repro and commit dvc.lock"
        )


def _settings(repository: Repository) -> dict[str, str]:
    """DVC's settings; not `dvc remote list`, which breaks long addresses over lines."""
    lines = [line.partition("=") for line in repository.dvc("config", "--list").splitlines()]
    return {name: value for name, _, value in lines}


def has_storage(repository: Repository, storage: str) -> bool:
    """Whether the remote that is pushed to has an address of its own.

    Args:
        storage: its name.
    """
    url = _settings(repository).get(f"remote.{storage}.url")
    return url is not None and PLACEHOLDER not in url


def check_remotes(repository: Repository, storage: str, pull_from: str | None) -> None:
    """See that both remotes have an address of their own.

    Args:
        storage: name of the remote that is pushed to.
        pull_from: address that is pulled from instead of the default remote's; None: none.

    Raises:
        PublishError: a remote is missing or still the placeholder.
    """
    settings = _settings(repository)
    default = settings.get("core.remote")
    needed = {storage: settings.get(f"remote.{storage}.url")}
    needed[default or "default remote"] = pull_from or settings.get(f"remote.{default}.url")
    for name, url in needed.items():
        if url is None or PLACEHOLDER in url:
            raise PublishError(
                f"{repository.root}: remote {name} has no address, got {url}; an address of yours "
                "is needed, or an origin on GitHub, GitLab or Codeberg, which serve a branch; run "
                f"dvc remote modify {name} url ADDRESS (--local keeps it out of git)"
            )


def check_terms(repository: Repository, allowed: bool) -> None:
    """See that somebody has read the terms before others' images are published.

    Args:
        allowed: the caller says that the terms of all products allow it.

    Raises:
        PublishError: the data are not procedural and nobody has said so.
    """
    if allowed:
        return
    manifests = (read_manifest(product) for product in products(repository.root))
    terms = sorted({str(m["terms"]) for m in manifests if m.get("origin", "demo") != "demo"})
    if not terms:
        return
    raise PublishError(
        f"{repository.root}: images are not this project's own, got images under these terms: "
        f"{' | '.join(terms)}; publishing is allowed where all of them allow it; read them, then "
        "run make release with TERMS=read"
    )
