"""A subset that is taken out of params.yaml: real dvc, quick stand-ins for the stages' work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from samrs.check.leftovers import Leftovers, leftovers
from samrs.core.shards import write_manifest
from tests.pipeline.stand_in import few, make, ran, run

STAGES = ("check", "download", "normalize", "weights", "sam-label", "release", "stats", "pretrain")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with two subsets, whose pipeline ends with pre-training."""
    root = tmp_path_factory.mktemp("project") / "repo"
    two = {**few("dota", "dior"), "subsets": {"dota": "sota", "dior": "sior"}}
    make(root, keep=STAGES, **two)
    return root


@pytest.fixture
def repo(made: Path) -> Iterator[Path]:
    """The project, as it was after the test."""
    start = run(made, "git", "rev-parse", "HEAD").strip()
    yield made
    run(made, "git", "reset", "-q", "--hard", start)
    run(made, "git", "clean", "-qfd")
    run(made, "dvc", "checkout", "-q")


def commit(root: Path, subject: str) -> None:
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", subject)


def take_out(root: Path) -> None:
    """DIOR leaves params.yaml."""
    file = root / "params.yaml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key in ("datasets", "download", "subsets"):
        del values[key]["dior"]
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def lock(root: Path, status: int) -> str:
    return run(root, "python", "-m", "tools.review", "lock", status=status)


def test_a_subset_taken_out_leaves_nothing_and_reruns_what_read_it_once(repo: Path) -> None:
    take_out(repo)
    assert ran(repo, "repro") == {"check", "stats", "pretrain"}
    commit(repo, "Take DIOR out")
    said = lock(repo, 1)
    assert "error: release@dior: no stage of dvc.yaml any more; run samrs prune" in said
    assert "would remove: data/release/sior" in run(repo, "samrs", "prune", "--dry-run")
    assert (repo / "data/release/sior").is_dir()
    told = run(repo, "samrs", "prune").splitlines()
    assert "removed: release@dior from dvc.lock" in told
    assert "removed: metrics/release/sior.json" in told
    assert {"up to date as before: stats", "up to date as before: pretrain"} <= set(told)
    left = [p for p in repo.glob("[dm]*/*/*") if p.stem in ("sior", "dior")]
    # inputs, which a person filled
    assert sorted(left) == [repo / "data/corrections/dior", repo / "data/inbox/dior"]
    assert "sior" not in (repo / "data/release/.gitignore").read_text(encoding="utf-8")
    assert ran(repo, "repro") == set()
    commit(repo, "Prune")
    assert lock(repo, 0).startswith("## dvc.lock: up to date")
    run(repo.parent, "git", "clone", "-q", "repo", "clone")
    assert lock(repo.parent / "clone", 0).startswith("## dvc.lock: up to date")
    assert leftovers(repo) == Leftovers()
    assert run(repo, "samrs", "prune") == "nothing is left over\n"
    run(repo, "git", "checkout", "-q", "HEAD~2")
    run(repo, "dvc", "checkout", "-q")
    assert (repo / "data/release/sior").is_dir()
    run(repo, "git", "checkout", "-q", "main")


def test_pruned_before_the_rerun_it_is_the_rerun_that_decides(repo: Path) -> None:
    take_out(repo)
    assert "up to date as before" not in run(repo, "samrs", "prune")
    assert "stats: params.yaml: subsets is modified" in lock(repo, 1)
    run(repo, "dvc", "repro", "-q")
    assert lock(repo, 0).startswith("## dvc.lock: up to date")


def test_what_was_changed_or_is_not_ours_stays_and_is_told(repo: Path) -> None:
    take_out(repo)
    (repo / "data/release/sior/note.txt").write_text("mine")
    old, notes = repo / "data/release/old", repo / "data/release/notes"
    for folder in (old, notes):
        folder.mkdir()
    write_manifest(old, {"product": "release"})
    (notes / "a.txt").write_text("mine")
    (repo / "data/release/link").symlink_to(notes)
    found = leftovers(repo)
    assert "data/release/old" in found.paths
    assert found.kept == {
        "data/release/sior": "it was changed since",
        "data/release/link": "it is a link",
        "data/release/notes": "it is no product of a stage",
    }
    said = run(repo, "samrs", "prune")
    assert "kept: data/release/sior, it was changed since; remove it yourself" in said
    assert not old.exists()
    assert (repo / "data/release/sior/note.txt").is_file()
    assert (notes / "a.txt").is_file()
    for path in ("data/release/link", "data/release/notes/a.txt", "data/release/sior/note.txt"):
        (repo / path).unlink()
