"""Unfinished work is found again by what decides it, and by nothing else."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import MissingInputError
from samrs.core.shards import write_manifest
from samrs.finetune import benchmark
from samrs.label import label
from samrs.normalize import kept_scenes
from samrs.release import kept_units
from samrs.verify import kept_checks
from samrs.work import fingerprint as module
from samrs.work.fingerprint import closure, fingerprint, imports

TRAINING = ("samrs.pretrain", "samrs.finetune.finetune")


def name(parameters: dict[str, Any] | None = None, **given: Any) -> str:
    return fingerprint(parameters or {}, **{"code": ["samrs.pretrain"], "libraries": [], **given})


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's files at a place where they may be edited."""
    shutil.copytree(
        module.ROOT / "samrs", tmp_path / "samrs", ignore=shutil.ignore_patterns("*.pyc")
    )
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path / "samrs"


def edit(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


def test_it_follows_the_parameters() -> None:
    assert name({"lr": 0.1, "seed": 1}) == name({"seed": 1, "lr": 0.1})
    assert name({"lr": 0.1}) != name({"lr": 0.2})


def test_it_follows_files_and_products(tmp_path: Path) -> None:
    file, product = tmp_path / "weights", tmp_path / "product"
    names = set()
    for number in range(2):
        file.write_bytes(bytes([number]))
        names.add(name(inputs=[file]))
        product.mkdir(exist_ok=True)
        write_manifest(product, {"number": number})
        names.add(name(inputs=[product]))
    assert len(names) == 4
    with pytest.raises(MissingInputError, match="no manifest"):
        name(inputs=[tmp_path / "none"])


def test_it_follows_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.0", "timm": "1.0"}
    monkeypatch.setattr(module, "version", versions.__getitem__)
    before = name(libraries=["torch"])
    versions["timm"] = "1.1"
    assert name(libraries=["torch"]) == before
    versions["torch"] = "2.1"
    assert name(libraries=["torch"]) != before


def test_a_library_that_is_not_installed_counts_as_well() -> None:
    assert name(libraries=["no-such-library"]) != name(libraries=[])


@pytest.mark.parametrize("work", TRAINING)
@pytest.mark.parametrize("edited", ["training/loop.py", "core/errors.py"])
def test_an_edit_of_a_module_that_training_uses_changes_it(
    copied: Path, work: str, edited: str
) -> None:
    before = name(code=[work])
    edit(copied / edited)
    assert name(code=[work]) != before


@pytest.mark.parametrize("package", ["sam", "segmenters"])
def test_an_edit_of_what_a_package_does_when_a_module_of_it_is_imported_changes_it(
    copied: Path, package: str
) -> None:
    before = name(code=["samrs.segmenters.sam"])
    edit(copied / package / "__init__.py")
    assert name(code=["samrs.segmenters.sam"]) != before


@pytest.mark.parametrize("work", TRAINING)
def test_an_edit_of_a_module_that_training_does_not_use_leaves_it(copied: Path, work: str) -> None:
    before = name(code=[work])
    for unused in ("normalize/normalize.py", "datasets/dota/read.py", "fetch/http.py", "card.py"):
        edit(copied / unused)
    assert name(code=[work]) == before


def test_what_is_loaded_by_name_is_named(copied: Path) -> None:
    label = ["samrs.label.label", "samrs.segmenters.box", "samrs.prompts.hbox"]
    before, other = name(code=label), name(code=["samrs.label.label", "samrs.segmenters.sam"])
    edit(copied / "segmenters" / "box.py")
    assert name(code=label) != before
    assert name(code=["samrs.label.label", "samrs.segmenters.sam"]) == other


def parts(folder: str) -> list[str]:
    """The modules of an axis."""
    names = sorted(path.stem for path in (module.ROOT / "samrs" / folder).glob("[a-z]*.py"))
    return [f"samrs.{folder}.{name}" for name in names]


KEEPERS: dict[str, tuple[Sequence[str], Sequence[str], set[str]]] = {
    "label": (
        ["samrs.label.label", *parts("segmenters"), *parts("prompts")], label.LIBRARIES,
        {"pyarrow", "safetensors"},  # tables and tensors as they are stored
    ),
    "normalize": (kept_scenes.CODE, kept_scenes.LIBRARIES, {"defusedxml"}),  # texts
    "release": (kept_units.CODE, kept_units.LIBRARIES, set()),
    "verify": (kept_checks.CODE, kept_checks.LIBRARIES, set()),
    "training": (
        TRAINING, benchmark.LIBRARIES,
        {"pyarrow", "pycocotools", "safetensors", "scipy"},  # scipy: intervals of what is kept
    ),
}  # fmt: skip
"""Work that is kept: its code, the libraries whose versions count, and others that do not."""
NEVER = {"ruamel.yaml", "tqdm"}
"""Parameters in errors; progress."""
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "ruamel": "ruamel.yaml",
}


def libraries_of(code: Sequence[str]) -> set[str]:
    """The distributions that modules and what they import of this project import."""
    found: set[str] = set()
    for file in module.files_of(code):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return {
        DISTRIBUTIONS.get(name, name.replace("_", "-"))
        for name in found - sys.stdlib_module_names - {"samrs"}
    }


@pytest.mark.parametrize("kept", KEEPERS)
def test_the_versions_of_all_libraries_that_kept_work_uses_count(kept: str) -> None:
    code, counted, others = KEEPERS[kept]
    assert libraries_of(code) == {*counted, *others} | (libraries_of(code) & NEVER)
    for name in counted:
        assert module._version(name) is not None


def said(before: Sequence[str]) -> str:
    """What a fresh process says that imports some modules first."""
    program = "".join(f"import {one}\n" for one in before) + (
        "from samrs.work.fingerprint import fingerprint\n"
        "print(fingerprint({}, code=['samrs.finetune.finetune'], libraries=['numpy']))"
    )
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_modules_that_happen_to_be_loaded_change_nothing() -> None:
    assert len(said([]).strip()) == 16
    assert said([]) == said(["samrs.datasets.dota.read", "samrs.verify.verify", "samrs.core.rle"])


def test_imports_within_functions_count(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text("def f():\n    from samrs.core import rle\n    import samrs.core.shards as s\n")
    assert {path.name for path in imports(file)} == {"rle.py", "shards.py"}
    assert module.ROOT / "samrs" / "core" / "errors.py" in closure(file)


def test_a_module_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no module of this project, got 'samrs\.pretrian'"):
        name(code=["samrs.pretrian"])
