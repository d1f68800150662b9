"""What docs/use-a-release.md shows of other libraries runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.export.releases import write_release

PAGE = (ROOT / "docs" / "use-a-release.md").read_text(encoding="utf-8")
TABLES = PAGE.split("\n## Tables\n")[1].split("\n## ")[0]
SNIPPETS = re.findall(r"```python\n(.*?)```", TABLES, flags=re.S)
SAID = {
    "pandas": (r"\(50, 40\) \(40, 50\) category", r"ship +60\.0"),
    "polars": (r"shape: \(\d, 3\)", r"ship"),
    "duckdb": (r"│ train", r"│ val"),
    "datasets": (r"a__0_0 \(50, 40\) \(50, 40\)", r"'val'"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("use")
    write_release(folder / "data" / "release" / "sota", quality=True)
    return folder


def test_there_is_a_snippet_for_each_library() -> None:
    assert len(SNIPPETS) == len(SAID)
    for library, snippet in zip(SAID, SNIPPETS, strict=True):
        assert re.search(rf"^(import|from) {library}", snippet, flags=re.M)


@pytest.mark.parametrize(("library", "snippet"), zip(SAID, SNIPPETS, strict=False), ids=SAID)
def test_a_snippet_runs_as_it_stands(library: str, snippet: str, folder: Path) -> None:
    own = {"HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for said in SAID[library]:
        assert re.search(said, done.stdout), done.stdout
