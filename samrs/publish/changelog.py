"""The entry of a release in CHANGELOG.md: what was under Unreleased, and what was published."""

from __future__ import annotations

import re
from collections.abc import Mapping

from samrs.publish.artifacts import Artifact, Figures
from samrs.publish.repository import PublishError

UNRELEASED = "## Unreleased"
PUBLISHED = "| artifact | path | files | bytes | sha256 |"


def unreleased(text: str, version: str) -> str:
    """What the release will say: the text under ``## Unreleased``, stripped.

    Raises:
        PublishError: there is no such heading, nothing under it, or an entry of this version.
    """
    parts = re.split(r"(?m)^(?=## )", text)
    if any(part.split("\n")[0].split()[1:2] == [version] for part in parts[1:]):
        raise PublishError(
            f"CHANGELOG.md: an entry of {version} is there already, got '## {version}'; only "
            "released versions have one; take the next version"
        )
    found = [part for part in parts if part.split("\n")[0].strip() == UNRELEASED]
    notes = found[0].partition("\n")[2].strip() if found else ""
    if not notes:
        raise PublishError(
            f"CHANGELOG.md: nothing to say of {version}, got {len(found)} headings "
            f"'{UNRELEASED}' and no line under them; at least one line is needed; say what a user "
            "of the data notices"
        )
    return notes


def with_release(text: str, version: str, date: str, published: Mapping[Artifact, Figures]) -> str:
    """The changelog with the release's entry below an emptied ``## Unreleased``.

    Args:
        date: ``YYYY-MM-DD``, of the commit that is released.
        published: in the order in which they are listed.
    """
    notes = unreleased(text, version)
    rows = [
        f"| {a.name} | `{a.path}` | {f.files} | {f.size} | `{f.sha256}` |"
        for a, f in published.items()
    ]
    table = "\n".join([PUBLISHED, "|---|---|---|---|---|", *rows])
    entry = f"{UNRELEASED}\n\n## {version} ({date})\n\n{notes}\n\n{table}\n"
    before, _, after = text.partition(f"{UNRELEASED}\n")
    rest = re.split(r"(?m)^(?=## )", after, maxsplit=1)
    return before + entry + ("\n" + rest[1] if len(rest) > 1 else "")
