"""Versions and the git tags of a release.

A release ``1.2.3`` is the tag ``v1.2.3``, for ``dvc get --rev``, and per artifact
``<artifact>@v1.2.3``, for ``dvc artifacts get`` (https://dvc.org/doc/command-reference/artifacts/get;
the tags are GTO's, https://mlem.ai/doc/gto).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from samrs.publish.artifacts import Artifact
from samrs.publish.repository import PublishError, Repository

NUMBER = r"(?:0|[1-9][0-9]*)"
VERSION = re.compile(rf"{NUMBER}\.{NUMBER}\.{NUMBER}")


def check_version(version: str) -> str:
    """The version as given.

    Raises:
        PublishError: it is not three numbers without leading zeros, as semver.org has them.
    """
    if not VERSION.fullmatch(version):
        raise PublishError(
            f"version: not a release's, got {version!r}; x.y.z of numbers without leading zeros "
            "is allowed; run make release VERSION=1.0.0"
        )
    return version


def release_tags(version: str, artifacts: Iterable[Artifact]) -> list[str]:
    """All tags of a release, the release's own first."""
    return [f"v{version}", *(f"{artifact.name}@v{version}" for artifact in artifacts)]


def check_absent(repository: Repository, tags: Sequence[str], publish_to: str | None) -> None:
    """See that no tag of the release exists, here or in the git remote ``publish_to``.

    Raises:
        PublishError: one does.
    """
    places = {"here": repository.git("tag", "--list").split()}
    if publish_to is not None:
        listed = repository.git("ls-remote", "--tags", publish_to).split()
        places[publish_to] = [ref.removeprefix("refs/tags/") for ref in listed]
    for place, existing in places.items():
        if found := [tag for tag in tags if tag in existing]:
            raise PublishError(
                f"{repository.root}: tags of this release exist ({place}), got "
                f"{', '.join(found)}; none is allowed, what is released stays as it is; take the "
                "next version (or `git pull --tags`)"
            )


def make_tags(repository: Repository, tags: Iterable[str], version: str) -> None:
    """Make annotated tags of the commit that is checked out."""
    for tag in tags:
        repository.git("tag", "--annotate", tag, "--message", f"Release {version}")
