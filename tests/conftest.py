"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def real() -> Path:
    """Folder of real, research-only datasets beside the project; tests skip without it."""
    folder = ROOT.parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("real datasets are not at ../shared/real (research-only, not in the project)")
    return folder
