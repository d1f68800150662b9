"""dvc.yaml tells the truth."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from samrs.core import axis
from stages.check import SHARED
from tests.pipeline.closure import ROOT, closure
from tests.pipeline.graph import paths, stages


def python_files(path: Path) -> set[Path]:
    """A file, or the Python files of a folder and below it."""
    return set(path.rglob("*.py")) if path.is_dir() else {path}


SCRIPTS = {name.split("@")[0] for name in stages()}

PARTS = {"download": ("demo.py", "sources.py"), "normalize": ("read.py",)}
"""Files of a dataset that a stage finds by the dataset's name."""
AXES = {
    "weights": ("samrs.weights.checkpoints",),
    "sam-label": ("samrs.prompts", "samrs.segmenters"),
    "prompt-ablation": ("samrs.prompts", "samrs.segmenters"),
    "compare-prompts": ("samrs.prompts",),
}
"""Axes whose values a stage finds by name: it depends on the whole axis."""
TOLD = {
    out: {file for path in told for file in python_files(ROOT / path)}
    for out, told in SHARED.items()
}
"""Files that each output of ``check`` tells of."""


def axis_files(stage: str) -> set[Path]:
    """Files a stage loads by name."""
    name, _, value = stage.partition("@")
    files = {ROOT / "samrs" / "datasets" / value / part for part in PARTS.get(name, ())}
    for package in AXES.get(name, ()):
        files |= {ROOT / package.replace(".", "/") / f"{v}.py" for v in axis.names(package)}
    return files


def script(stage: str) -> Path:
    return ROOT / "stages" / (stage.split("@")[0].replace("-", "_") + ".py")


def code_deps(stage: str) -> dict[str, set[Path]]:
    """Python files by the path that a stage depends on: a file, or a folder and all below it."""
    found = {}
    for dep in paths(stages()[stage]["deps"]):
        path = ROOT / dep
        if dep.startswith(("samrs", "stages")) and not dep.startswith("samrs/models/"):
            found[dep] = python_files(path)
    return found


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_code_deps_hold_the_import_closure_and_nothing_that_is_not_imported(name: str) -> None:
    """Folders may hold more than is imported, but not nothing; ``check`` tells what is shared."""
    expanded = [s for s in stages() if s.split("@")[0] == name]
    needed = {s: closure(script(s), *axis_files(s)) for s in expanded}
    for stage in expanded:
        told = [TOLD[dep] for dep in paths(stages()[stage]["deps"]) if dep in TOLD]
        missing = needed[stage] - set[Path]().union(*told, *code_deps(stage).values())
        assert not missing, f"{stage}: add {sorted(str(p.relative_to(ROOT)) for p in missing)}"
    for stage in expanded:
        for dep, files in code_deps(stage).items():
            assert files & needed[stage], f"{stage}: remove {dep}"


def test_all_stages_depend_on_one_file_of_digests_of_shared_code_that_they_import() -> None:
    assert all(less < more for less, more in pairwise(TOLD.values()))
    smaller = dict(zip(list(TOLD)[1:], TOLD.values(), strict=False))
    for name in set(stages()) - {"check"}:
        (dep,) = set(TOLD) & set(paths(stages()[name]["deps"]))
        needed = closure(script(name), *axis_files(name))
        assert needed & (TOLD[dep] - smaller.get(dep, set())), f"{name}: less than {dep} is enough"
    for told in SHARED.values():
        assert all((ROOT / path).exists() for path in told)


def test_no_dependency_lies_within_another() -> None:
    """A dependency inside another says the same twice."""
    for name, definition in stages().items():
        deps = paths(definition["deps"])
        for dep in deps:
            assert not any(o != dep and dep.startswith(f"{o}/") for o in deps), f"{name}: {dep}"


@pytest.mark.parametrize("stage", sorted(stages()))
def test_stage_is_described_and_runs_its_own_script(stage: str) -> None:
    definition = stages()[stage]
    assert definition["desc"]
    assert definition["cmd"].startswith(f"exec stages/run {script(stage).stem} ")
    assert script(stage).is_file()


@pytest.mark.parametrize("stage", sorted(stages()))
def test_every_path_of_the_command_is_declared(stage: str) -> None:
    definition = stages()[stage]
    declared = [
        path
        for key in ("deps", "outs", "metrics", "plots")
        for path in paths(definition.get(key, []))
    ]
    for word in definition["cmd"].split():
        if word.startswith(("data/", "metrics/", "samrs/")):
            assert any(word == d or d.startswith(f"{word}/") for d in declared), word


def test_no_output_disables_the_run_cache_or_survives_a_change() -> None:
    for name, definition in stages().items():
        for out in definition.get("outs", []):
            assert isinstance(out, str), f"{name}: {out}"
            assert out.startswith("data/"), f"{name}: {out}"
        for entry in [*definition.get("metrics", []), *definition.get("plots", [])]:
            path, options = next(iter(entry.items()))
            assert path.startswith("metrics/"), f"{name}: {path}"
            assert options["cache"] is False, f"{name}: {path}"


def test_metrics_are_the_headline_which_an_experiments_table_has_room_for() -> None:
    """All other values are declared as plots; ``outs`` would switch the run cache off."""
    for name, definition in stages().items():
        for path in paths(definition.get("metrics", [])):
            assert path.startswith("metrics/headline/"), f"{name}: {path}"


def test_graph_stays_below_the_size_dvc_slows_down_at() -> None:
    assert len(stages()) < 32


def test_params_hold_nothing_that_no_stage_reads() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    declared = {p.split(".")[0] for s in stages().values() for p in s.get("params", [])}
    structure = {"datasets", "subsets", "benchmarks", "runtime", "guard"}
    assert set(params) == declared | structure


def test_params_are_in_block_style() -> None:
    """``dvc exp run -S`` rewrites flow lists, which would show as a change."""
    for line in (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines():
        assert not set("[{") & set(line.split("#")[0]), line
