"""Which stages a change reruns, with real dvc; the stages' work is replaced by a quick stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from samrs.corrections.store import Edit, Store
from tests.corrections.records import verdict
from tests.pipeline.closure import ROOT
from tests.pipeline.graph import stages
from tests.pipeline.stand_in import make, ran, run

PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
SUBSETS = list(PARAMS["subsets"])
BENCHMARKS = PARAMS["benchmarks"]
TRAINING = {"pretrain", *(f"finetune@{b}" for b in BENCHMARKS), "report"}
RELEASING = {*(f"release@{d}" for d in SUBSETS), "stats"} | TRAINING
LABELLING = {f"sam-label@{d}" for d in SUBSETS} | RELEASING
ABLATION = {"prompt-ablation", "compare-prompts"}
MASKS = LABELLING | ABLATION
DOWNLOADS = {f"download@{d}" for d in PARAMS["download"]}


def after_normalize(dataset: str) -> set[str]:
    """What a change in one dataset's normalized tables reruns."""
    found = {"report"}
    if dataset in SUBSETS:
        found |= {f"sam-label@{dataset}", f"release@{dataset}", "stats"} | TRAINING
    if dataset in BENCHMARKS:
        found |= {f"finetune@{dataset}"}
    if dataset == "hrsc2016":
        found |= ABLATION
    return found


def expected(leaf: tuple[str, ...]) -> set[str]:
    """The stages a change of one parameter must rerun, and no other, but for ``check``."""
    section, dataset = leaf[0], leaf[min(1, len(leaf) - 1)]
    match section:
        case "origin":
            return set(stages()) - {"check", "weights"}
        case "prompt":
            return LABELLING
        case "segmenter" | "model":
            return {"weights"} | MASKS
        case "precision":
            return MASKS
        case "download":
            return {f"download@{dataset}", f"normalize@{dataset}"} | after_normalize(dataset)
        case "normalize":
            return {f"normalize@{dataset}"} | after_normalize(dataset)
        case "prompt_ablation":
            return ABLATION | {"report"}
        case "release":
            return RELEASING
        case "pretrain":
            return TRAINING
        case "finetune":
            return {f"finetune@{dataset}", "report"}
        case "runtime" | "guard":
            return set()
    pytest.fail(f"params.yaml: no expectation for {'.'.join(leaf)}; say here what it reruns")


def leaves(values: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every parameter by its keys; those of ``guard`` hold dots."""
    for key, item in values.items():
        if isinstance(item, dict):
            yield from leaves(item, (*above, key))
        else:
            yield (*above, key), item


LEAVES = {
    leaf: item
    for leaf, item in leaves(PARAMS)
    if leaf[0] not in ("datasets", "subsets", "benchmarks")
}


def other(item: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(item, bool):
        return not item
    if isinstance(item, int | float):
        return item + 1
    if isinstance(item, list):
        return item[:-1]
    return "other"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with stand-ins for its stages, reproduced once."""
    root = tmp_path_factory.mktemp("project")
    assert make(root) == set(stages())
    return root


def test_second_repro_runs_nothing(repo: Path) -> None:
    assert ran(repo, "repro") == set()


def test_experiment_reruns_what_the_prompt_decides_and_switching_back_nothing(repo: Path) -> None:
    assert ran(repo, "exp", "run", "-S", "prompt=rbox") == {"check"} | LABELLING
    assert ran(repo, "exp", "run", "-S", "prompt=auto") <= {"check"}
    assert ran(repo, "exp", "run", "-S", "prompt=rbox") == set()
    run(repo, "git", "checkout", "-q", "--", ".")
    run(repo, "dvc", "checkout", "-q")


def test_a_comment_in_a_plot_reruns_drawings_only(repo: Path) -> None:
    for file, drawings in (
        ("samrs/comparison/plots.py", {"compare-prompts", "report"}),
        ("samrs/drawing/style.py", {"compare-prompts", "stats", "report"}),
    ):
        with (repo / file).open("a", encoding="utf-8") as code:
            code.write("# a comment\n")
        assert ran(repo, "repro") == {"check"} | drawings
    run(repo, "git", "reset", "-q", "--hard")
    run(repo, "dvc", "checkout", "-q")


def test_switching_the_model_back_and_forth_reruns_nothing_twice(repo: Path) -> None:
    assert ran(repo, "exp", "run", "-S", "model=vit_b") == {"check", "weights"} | MASKS
    assert ran(repo, "exp", "run", "-S", "model=nano") <= {"check"}
    assert ran(repo, "exp", "run", "-S", "model=vit_b") == set()
    run(repo, "git", "checkout", "-q", "--", ".")
    run(repo, "dvc", "checkout", "-q")


def test_what_a_person_says_reruns_that_release_and_no_labelling(repo: Path) -> None:
    dataset = SUBSETS[0]
    store, said = Store(repo / "data" / "corrections" / dataset), Edit(None, verdict())
    store.apply([said])
    assert ran(repo, "repro") == {f"release@{dataset}", "stats"} | TRAINING
    store.apply([said.undone()])
    assert ran(repo, "repro") == set()  # what was made of none is in DVC's cache


@pytest.mark.parametrize(
    ("file", "reruns"),
    [
        ("samrs/fetch/mirrors.py", DOWNLOADS | {"weights"}),
        ("samrs/weights/weights.py", {"weights"}),
    ],
)
def test_a_comment_in_the_downloader_reruns_what_downloads_and_nothing_behind_it(
    repo: Path, file: str, reruns: set[str]
) -> None:
    with (repo / file).open("a", encoding="utf-8") as code:
        code.write("# a comment\n")
    assert ran(repo, "repro") == {"check"} | reruns
    assert ran(repo, "repro") == set()


def test_every_parameter_reruns_what_depends_on_it(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo)
    file = repo / "params.yaml"
    original = file.read_text(encoding="utf-8")
    with Repo(str(repo)) as dvc:
        graph = dvc.index.graph
        tracked = {s: [d for d in s.deps if isinstance(d, ParamsDependency)] for s in graph}
        assert not any(d.status() for deps in tracked.values() for d in deps)
        for leaf, item in LEAVES.items():
            values = yaml.safe_load(original)
            *parents, last = leaf
            section = values
            for key in parents:
                section = section[key]
            section[last] = other(item)
            file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
            changed = {s for s, deps in tracked.items() if any(d.status() for d in deps)}
            touched = changed.union(*(nx.ancestors(graph, s) for s in changed))
            assert {s.name for s in touched} == expected(leaf), leaf
    file.write_text(original, encoding="utf-8")
