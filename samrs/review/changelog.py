"""What CHANGELOG.md says of one version: the text of its release."""

from __future__ import annotations

import re

from samrs.core.errors import UnknownNameError


def entry(changelog: str, tag: str) -> str:
    """The lines below a version's heading.

    Args:
        changelog: Markdown with a heading of the second level for each version, newest first.
        tag: e.g. ``v1.2.0``; the heading may write it with or without the ``v``.

    Raises:
        UnknownNameError: it has no heading, or nothing below it.
    """
    version = re.escape(tag.removeprefix("v"))
    heading = rf"^## \[?v?{version}\]?(?![-+.\w])[^\n]*"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise UnknownNameError(
            f"CHANGELOG.md: no entry, got {tag!r}; a heading `## {tag}` with text below it is "
            "needed; write it and tag again"
        )
    return found[1].strip() + "\n"
