"""A release to review, and its desk."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.corrections.store import Store
from samrs.review.desk import Desk
from samrs.review.index import Index
from samrs.review.pictures import Pictures
from tests.review.releases import write_release


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path / "release" / "hand")


@pytest.fixture
def desk(release: Path, tmp_path: Path) -> Desk:
    index = Index(release)
    return Desk(index, Pictures(index), Store(tmp_path / "corrections", index.categories))
