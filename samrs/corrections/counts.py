"""What of a release people made, as its metrics, manifest and card count it."""

from __future__ import annotations

COUNTS = ("accepted", "rejected", "clicked", "drawn", "added", "reclassified")
"""Rows of the table instances."""
