"""dvc.lock against a tree without data: real dvc, a real clone, stand-ins for the stages' work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.pipeline.stand_in import few, make, run


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone without data of the project with one subset, whose pipeline ends with ``stats``."""
    root = tmp_path_factory.mktemp("project")
    made = root / "made"
    make(made, "stats", **few("dota", "hrsc2016"))
    pipeline = yaml.safe_load((made / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    kept = {k: v for k, v in pipeline.items() if k not in ("pretrain", "finetune", "report")}
    text = yaml.safe_dump({"stages": kept}, sort_keys=False)
    (made / "dvc.yaml").write_text(text, encoding="utf-8")
    run(made, "dvc", "repro", "-q")
    run(made, "git", "add", "-A")
    run(made, "git", "commit", "-qm", "Only these stages")
    run(root, "git", "clone", "-q", "made", "clone")
    return root / "clone"


@pytest.fixture
def repo(clone: Path) -> Iterator[Path]:
    """The clone, restored after the test."""
    yield clone
    run(clone, "git", "checkout", "-q", "--", ".")


def lock(repo: Path, status: int) -> str:
    return run(repo, "python", "-m", "tools.review", "lock", status=status)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_fresh_clone_is_up_to_date_and_drawn(repo: Path) -> None:
    assert not list(repo.glob("data/*/*/[!.]*"))
    said = lock(repo, 0)
    assert said.startswith("## dvc.lock: up to date\n\n```mermaid\nflowchart TD\n")
    assert '["sam-label@dota"]' in said
    assert said.endswith("```\n")


def test_everything_in_git_that_differs_is_named(repo: Path) -> None:
    with (repo / "samrs" / "release" / "release.py").open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    edit(repo / "params.yaml", "min_area: 4", "min_area: 5")
    edit(repo / "metrics" / "stats.json", '"digest": "', '"digest": "0')
    edit(repo / "dvc.yaml", "run stats data/release", "run stats  data/release")
    (repo / "samrs" / "label" / "journal.py").unlink()
    said = lock(repo, 1)
    for line in (
        "release@dota: samrs/release is modified",
        "release@dota: params.yaml: release is modified",
        "stats: metrics/stats.json is modified",
        "stats: changed command",
        "check: samrs is modified",
    ):
        assert f"error: {line}; run dvc repro and commit dvc.lock and metrics/" in said, said
    assert "data/" not in said.replace("data/release  ", "")


def test_a_lock_whose_stages_do_not_meet_is_stale(repo: Path) -> None:
    file = repo / "dvc.lock"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    stages = values["stages"]
    out = next(o for o in stages["normalize@dota"]["outs"] if o["path"] == "data/normalize/dota")
    out["md5"] = f"{'0' * 32}.dir"
    out = next(o for o in stages["release@dota"]["outs"] if o["path"] == "data/release/sota")
    out["size"] += 1
    stages["gone"] = stages.pop("download@hrsc2016")
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    said = lock(repo, 1)
    assert "sam-label@dota: data/normalize/dota is not what normalize@dota put out; run" in said
    assert "stats: data/release is not what the stages before put out, where samrs prune" in said
    assert "download@hrsc2016: never run; run dvc repro" in said
    assert "gone: no stage of dvc.yaml any more; run samrs prune, then dvc repro" in said


def test_files_that_were_put_in_by_hand_are_in_no_clone(repo: Path) -> None:
    """The lock of a project with official archives, which git ignores."""
    file = repo / "dvc.lock"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    deps = values["stages"]["download@dota"]["deps"]
    inbox = next(dep for dep in deps if dep["path"] == "data/inbox/dota")
    inbox |= {"md5": f"{'0' * 32}.dir", "size": 4096, "nfiles": 2}
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    assert lock(repo, 0).startswith("## dvc.lock: up to date")


def test_a_pipeline_that_cannot_be_read_is_one_sentence(repo: Path) -> None:
    edit(repo / "dvc.yaml", "stages:", "stages: [")
    said = lock(repo, 1)
    assert "error: dvc.lock: " in said
    assert "mend dvc.yaml, params.yaml or dvc.lock" in said
    assert "Traceback" not in said
    (repo / "dvc.lock").unlink()
    assert "run dvc repro and commit it" in lock(repo, 1)
