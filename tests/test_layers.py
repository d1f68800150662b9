"""Imports go down only: stages -> verbs -> nouns -> core, nothing sideways within an axis."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.closure import ROOT, closure, imports

AXES = ("datasets", "demo", "exports", "prompts", "segmenters")
NOUNS = {*AXES, "sam", "scenes"}
FILES = sorted((ROOT / "samrs").rglob("*.py"))


def layer(file: Path) -> int:
    """0 core, 1 nouns, 2 verbs, 3 stages."""
    parts = file.relative_to(ROOT).parts
    if parts[0] == "stages":
        return 3
    return 0 if parts[1] == "core" else 1 if parts[1] in NOUNS else 2


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_down(file: Path) -> None:
    for other in imports(file):
        assert layer(other) <= layer(file), other.relative_to(ROOT)
        folder = file.parent.name
        if folder in AXES and other.parent == file.parent:
            pytest.fail(f"{file.name} imports its neighbour {other.name} in {folder}/")


def test_core_needs_no_torch() -> None:
    for file in closure(*(ROOT / "samrs" / "core").glob("*.py")):
        assert "import torch" not in file.read_text(encoding="utf-8")


def test_command_line_and_dvc_live_in_stages_only() -> None:
    allowed = {
        "__main__.py",
        "audit.py",
        "card.py",
        "export.py",
        "fit_quality.py",
        "publish.py",
        "train_nano.py",
        "verify.py",
    }
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        if file.name not in allowed:
            assert "import argparse" not in text, file
        if file.name != "storage.py":  # compares a remote with the cache, which no command does
            assert "import dvc" not in text, file
            assert "from dvc" not in text, file


def test_stage_scripts_stay_small() -> None:
    for file in (ROOT / "stages").glob("*.py"):
        if file.name not in ("stage.py", "__init__.py"):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 40, file
