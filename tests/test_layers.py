"""Packages stand on floors: an import goes down, or stays in its package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.pipeline.closure import ROOT, imports

FLOORS = (
    "core",
    "arithmetic drawing executors fetch measures prompting reading scenes work",
    "corrections weights",
    "sam training",
    "datasets download finetune label look normalize pretrain prompts release stats",
    "ablation add comparison nano segmenters verify",
    "card",
    "check data export fit_quality",
    "gallery",
    "audit exchange formats label_dataset preview publish report review",
    "commands stages",
    "__main__ tools",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
FLOOR["__init__"] = 0  # samrs itself, which knows its version only
AXES = ("datasets", "executors", "formats", "prompts", "segmenters")
ONLY_IN = {
    "argparse": (
        "stages/stage.py",
        "samrs/training/initial_weights.py",  # a Namespace stands in MAE's checkpoints
        "tools",
    ),
    "click": ("samrs/commands", "tools/docs"),
    "dvc": ("stages/stage.py", "samrs/check/leftovers.py", "samrs/publish/storage.py"),
    "dvc_data": ("samrs/publish/storage.py",),
    "starlette": ("samrs/review/guard.py", "samrs/review/server.py"),
    "torch": (
        "samrs/arithmetic/products.py",
        "samrs/data/torch.py",
        "samrs/nano",
        "samrs/sam",
        "samrs/segmenters/sam.py",
        "samrs/training",
    ),
    "uvicorn": ("samrs/review/serving.py",),
}
"""Files and folders that may import a library: arguments are read, DVC asked and tensors computed
there and nowhere else."""
FILES = sorted(
    p for top in ("samrs", "tools") for p in (ROOT / top).rglob("*.py") if p.stat().st_size
)


def package(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] != "samrs" else "formats" if "formats" in parts else parts[1]


def libraries(file: Path) -> set[str]:
    """Top-level names of all modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


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


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_where_it_belongs(library: str) -> None:
    """And in each of these places, or the list says too much."""
    files = [p for top in ("samrs", "stages", "tools") for p in (ROOT / top).rglob("*.py")]
    users = {p.relative_to(ROOT) for p in files if library in libraries(p)}
    places = {Path(place) for place in ONLY_IN[library]}
    strangers = {user for user in users if not any(user.is_relative_to(p) for p in places)}
    assert not strangers, f"{library} is imported by {sorted(map(str, strangers))}"
    unused = {place for place in places if not any(u.is_relative_to(place) for u in users)}
    assert not unused, f"{library} is imported nowhere in {sorted(map(str, unused))}"


@pytest.mark.parametrize(("folder", "most"), [("samrs", 6), ("samrs/core", 16)])
def test_few_files_lie_where_all_packages_look(folder: str, most: int) -> None:
    """What belongs to one package, or to a few, lies in one of its own."""
    files = sorted(p.name for p in (ROOT / folder).glob("*.py"))
    assert len(files) <= most, f"{folder}: {', '.join(files)}"


LONGEST = 80
"""Lines of a function, its docstring included; the renderer draws one thing a function."""


@pytest.mark.parametrize("folder", ["samrs", "stages", "tools"])
def test_functions_are_short(folder: str) -> None:
    found = {
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}": length
        for file in (ROOT / folder).rglob("*.py")
        if not file.is_relative_to(ROOT / "samrs" / "scenes")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST
    }
    assert not found
