"""What the datasets' ``sources.py`` name, for tests."""

from __future__ import annotations

from samrs.core import axis

NAMES = axis.names("samrs.datasets", "sources")
MODULES = [axis.load("samrs.datasets", name, "sources") for name in NAMES]
EDITIONS = [
    (name, edition)
    for name, module in zip(NAMES, MODULES, strict=True)
    for edition in getattr(module, "EDITIONS", {}).values()
]
"""Each with the dataset's name."""
