"""The release that the exports' tests share; none of them writes to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.releases import write_release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("releases") / "sota")
