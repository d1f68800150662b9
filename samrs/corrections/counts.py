"""What of a release people made, as its metrics, manifest and card count it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COUNTS = ("accepted", "rejected", "clicked", "drawn", "added", "reclassified")
"""Rows of the table instances."""
LEFT_OUT = "rejected"
"""Of these, what a release does not hold."""


def people_made(manifest: Mapping[str, Any]) -> bool:
    """Whether any row of a release is as a person made it, or accepted by one.

    Args:
        manifest: of the release.
    """
    counts = manifest["counts"]["corrections"]
    return any(counts[name] for name in COUNTS if name != LEFT_OUT)
