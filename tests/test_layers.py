"""Packages stand on floors: an import goes down, or stays in its package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.closure import ROOT, closure, imports

FLOORS = (
    "core",
    "data drawing executors fetch measures prompting reading scenes training verify",
    "datasets download finetune label normalize pretrain prompts release sam stats",
    "ablation card comparison nano segmenters",
    "check export fit_quality report",
    "review",
    "audit formats publish",
    "__main__ stages",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
AXES = ("datasets", "executors", "formats", "prompts", "segmenters")
FILES = sorted(p for p in (ROOT / "samrs").rglob("*.py") if p.stat().st_size)


def package(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return "stages" if parts[0] == "stages" else "formats" if "formats" in parts else parts[1]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_down(file: Path) -> None:
    own = package(file)
    for other in imports(file):
        if other == file:
            continue
        there = package(other)
        if there == own:
            beside = own in AXES and (own != "datasets" or file.parent != other.parent)
            assert not beside, f"{file.name} imports its neighbour {other.name}"
        else:
            assert FLOOR[there] < FLOOR[own], f"{own} must not import {there} ({other.name})"


def test_core_needs_no_torch() -> None:
    for file in closure(*(ROOT / "samrs" / "core").glob("*.py")):
        assert "import torch" not in file.read_text(encoding="utf-8")
