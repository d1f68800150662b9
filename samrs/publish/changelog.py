"""CHANGELOG.md: what stands under Unreleased becomes the entry of a release."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from samrs.drawing.markdown import table
from samrs.publish.repository import PublishError

if TYPE_CHECKING:  # it imports pyarrow, which the workflow of a release does without
    from samrs.publish.artifacts import Artifact, Figures

UNRELEASED = "Unreleased"
PUBLISHED = ("artifact", "path", "files", "bytes", "sha256")
HOW_TO_CHECK = (
    "`samrs verify FOLDER --against SHA256` holds what was fetched against this table "
    "(a folder's sha256 is that of its manifest)."
)


def entries(text: str) -> dict[str, str]:
    """What stands under each heading of the second level, stripped, by the heading's first word.

    Args:
        text: the changelog; ``## v1.2.0 (2026-01-02)`` and ``## [1.2.0]`` are ``1.2.0``.
    """
    parts = (part.partition("\n") for part in re.split(r"(?m)^## +", text)[1:])
    return {head.split()[0].strip("[]").removeprefix("v"): body.strip() for head, _, body in parts}


def released(text: str, tag: str) -> str:
    """What the changelog says of a released version.

    Args:
        text: the changelog.
        tag: the version, e.g. ``v1.2.0``.

    Raises:
        PublishError: it has no heading, or nothing below it.
    """
    found = entries(text).get(tag.removeprefix("v"))
    if not found:
        raise PublishError(
            f"CHANGELOG.md: no entry, got {tag!r}; a heading `## {tag}` with text below it is "
            "needed; write it and tag again"
        )
    return found


def unreleased(text: str, version: str) -> str:
    """What the release will say: the text under ``## Unreleased``.

    Raises:
        PublishError: there is no such heading, nothing under it, or an entry of this version.
    """
    found = entries(text)
    if version in found:
        raise PublishError(
            f"CHANGELOG.md: an entry of {version} is there already, got '## {version}'; only "
            "released versions have one; take the next version"
        )
    if not found.get(UNRELEASED):
        raise PublishError(
            f"CHANGELOG.md: nothing to say of {version}, got no line under '## {UNRELEASED}'; at "
            "least one is needed; say what a user of the data notices"
        )
    return found[UNRELEASED]


def with_release(text: str, version: str, date: str, published: Mapping[Artifact, Figures]) -> str:
    """The changelog with the release's entry below an emptied ``## Unreleased``.

    Args:
        date: ``YYYY-MM-DD``, of the commit that is released.
        published: in the order in which they are listed.
    """
    notes = unreleased(text, version)
    rows = [
        (a.name, f"`{a.path}`", str(f.files), str(f.size), f"`{f.sha256}`")
        for a, f in published.items()
    ]
    listed = table(PUBLISHED, rows)
    entry = f"## {UNRELEASED}\n\n## {version} ({date})\n\n{notes}\n\n{listed}\n\n{HOW_TO_CHECK}\n"
    before, after = re.split(rf"(?m)^## +{UNRELEASED}.*\n", text, maxsplit=1)
    rest = re.split(r"(?m)^(?=## )", after, maxsplit=1)
    return before + entry + ("\n" + rest[1] if len(rest) > 1 else "")
