"""What of the input never became part of a release: listed beside it, where it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samrs.core.errors import SamrsError
from samrs.core.shards import has_table, read_manifest, read_table

SUMMARY = "summary.json"
EXAMPLES = 3


def set_aside(release: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What was set aside of the dataset that a release was made of.

    It is looked for where ``samrs label`` and the pipeline put it: a release carries nothing of
    what it does not hold.

    Args:
        release: the release product.
        manifest: its manifest.

    Returns:
        ``known``: whether it was found; ``where``; ``reasons``: reason, count and the first
        sentences of each, the most frequent first.
    """
    place = release.resolve()
    root = place.parents[1] if len(place.parents) > 1 else place
    found = _of_summary(root, place)
    if found is None:
        found = _of_product(root / "normalize" / str(manifest["dataset"]), manifest)
    return found or {"known": False, "where": "", "reasons": []}


def _of_summary(root: Path, release: Path) -> dict[str, Any] | None:
    """As ``samrs label`` noted it."""
    try:
        said = json.loads((root / SUMMARY).read_text(encoding="utf-8"))
        if root / said["release"] != release:
            return None
        aside = said["set_aside"]
        reasons = [
            (str(reason), int(count), [str(text) for text in aside["examples"][reason]])
            for reason, count in aside["by_reason"].items()
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return {"known": True, "where": "set_aside.csv", "reasons": _sorted(reasons)}


def _of_product(normalized: Path, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """As ``normalize`` listed it in the pipeline's data folder."""
    try:
        same = read_manifest(normalized).get("dataset") == manifest["dataset"]
        if not same or not has_table(normalized, "quarantine"):
            return None
        rows = read_table(normalized, "quarantine", ["reason", "detail"]).to_pylist()
    except SamrsError:
        return None
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row["reason"], []).append(row["detail"])
    reasons = [(reason, len(of), of[:EXAMPLES]) for reason, of in by_reason.items()]
    where = f"the table quarantine of {normalized.parent.name}/{normalized.name}"
    return {"known": True, "where": where, "reasons": _sorted(reasons)}


def _sorted(reasons: list[tuple[str, int, list[str]]]) -> list[tuple[str, int, list[str]]]:
    return sorted(reasons, key=lambda entry: (-entry[1], entry[0]))
