"""The benchmark of fetching, on the tiny release."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pull import REMOTES, measure
from tests.publish import repositories as tiny


@pytest.mark.slow
@pytest.mark.parametrize("remote", REMOTES)
def test_the_release_is_fetched_and_verified(original: Path, remote: str) -> None:
    release = original / "data" / "release"
    found = measure(release, remote)
    content = tiny.files(release)
    del content[".gitignore"]
    assert (found["files"], found["bytes"]) == (8, sum(map(len, content.values())))
    assert found["rows_verified"] == 2 * 7
    assert found["pull_s"] > 0
