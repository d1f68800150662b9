"""What docs/experiments.md says, with real dvc; the stages' work is a quick stand-in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.stand_in import few, make, ran, run

TO_STATS = {"check", "sam-label@dota", "release@dota", "stats"}
STAGES = ("check", "download", "normalize", "weights", "sam-label", "release", "stats", "pretrain")


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one subset, reproduced as a whole, which ends with pre-training."""
    root = tmp_path_factory.mktemp("project")
    make(root, keep=STAGES, **few("dota", "hrsc2016"))
    return root


@pytest.fixture(autouse=True)
def clean(repo: Path) -> Iterator[None]:
    """The project is as it was on ``main`` after each test."""
    yield
    run(repo, "git", "restore", ".")
    run(repo, "git", "switch", "-q", "main")
    run(repo, "dvc", "checkout", "-q")


def experiments(root: Path) -> dict[str, dict[str, Any]]:
    """Parameters and metrics of each experiment by its name."""
    shown = json.loads(run(root, "dvc", "exp", "show", "--json"))
    baseline = next(row for row in shown if row["rev"] != "workspace")
    assert all(row["error"] is None for row in shown)
    return {e["name"]: e["revs"][0]["data"] for e in baseline["experiments"] or ()}


def prompt(data: dict[str, Any]) -> str:
    return str(data["params"]["params.yaml"]["data"]["prompt"])


def digest(data: dict[str, Any]) -> str:
    return str(data["metrics"]["metrics/headline/stats.json"]["data"]["digest"])


def test_an_experiment_reruns_down_to_its_target_and_becomes_a_branch(repo: Path) -> None:
    assert ran(repo, "exp", "run", "-n", "try-rbox", "-S", "prompt=rbox", "stats") == TO_STATS
    run(repo, "git", "checkout", "-q", "--", ".")
    assert run(repo, "git", "status", "--porcelain") == ""
    assert prompt(experiments(repo)["try-rbox"]) == "rbox"
    run(repo, "dvc", "exp", "branch", "try-rbox", "prompt-rbox")
    values = yaml.safe_load(run(repo, "git", "show", "prompt-rbox:params.yaml"))
    assert values["prompt"] == "rbox"
    changed = run(repo, "git", "diff", "--name-only", "main", "prompt-rbox").split()
    assert {"dvc.lock", "params.yaml", "metrics/sam_label/dota.json"} <= set(changed)
    text = run(repo, "python", "-m", "tools.review", "metrics", "main", "prompt-rbox")
    assert "| `prompt` | `auto` | `rbox` |" in text
    assert "**Gate passed**" in text
    assert "sam_label" in text
    # the road to a green check: docs/experiments.md
    run(repo, "git", "switch", "-q", "prompt-rbox")
    run(repo, "dvc", "checkout", "-q")
    said = run(repo, "python", "-m", "tools.review", "lock", status=1)
    assert "error: pretrain: data/release is not what it was for stats; run dvc repro" in said
    assert ran(repo, "repro") == {"pretrain"}
    run(repo, "git", "commit", "-qam", "Ask with the rotated box")
    said = run(repo, "python", "-m", "tools.review", "lock")
    assert said.startswith("## dvc.lock: up to date")


def test_after_a_failed_experiment_there_is_a_way_back(repo: Path) -> None:
    said = run(repo, "dvc", "exp", "run", "-S", "prompt=fails", "stats", status=255)
    assert "failed to reproduce 'sam-label@dota'" in said
    assert "prompt: fails" in (repo / "params.yaml").read_text(encoding="utf-8")
    assert not (repo / "data/sam_label/dota").exists()
    run(repo, "git", "restore", ".")  # docs/experiments.md
    run(repo, "dvc", "checkout", "-q")
    assert (repo / "data/sam_label/dota/digest.txt").is_file()
    assert ran(repo, "repro") == set()
    assert run(repo, "git", "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_queue_runs_each_value_once_and_keeps_the_workspace(repo: Path) -> None:
    values = ("point", "auto", "rhbox")
    queued = run(repo, "dvc", "exp", "run", "--queue", "-S", f"prompt={','.join(values)}", "stats")
    assert queued.count("Queued experiment") == len(values)
    log = repo / "ran.txt"
    log.unlink(missing_ok=True)
    run(repo, "dvc", "queue", "start")
    deadline = time.monotonic() + 300
    while "Queued" in (status := run(repo, "dvc", "queue", "status")) or "Running" in status:
        assert time.monotonic() < deadline, status
        time.sleep(1)
    assert status.count("Success") == len(values), status
    done = log.read_text(encoding="utf-8").split()
    assert sorted(n for n in done if n != "check") == sorted([*TO_STATS - {"check"}] * 2)
    assert done.count("check") <= len(values)  # dvc writes nulls of params.yaml otherwise
    found = {prompt(d): digest(d) for name, d in experiments(repo).items() if name != "try-rbox"}
    assert set(found) == set(values)
    assert len(set(found.values())) == len(values)
    assert run(repo, "git", "status", "--porcelain") == ""
    assert yaml.safe_load((repo / "params.yaml").read_text(encoding="utf-8"))["prompt"] == "auto"


def test_an_unknown_parameter_is_refused(repo: Path) -> None:
    said = run(repo, "dvc", "exp", "run", "-S", "promt=rbox", "stats", status=255)
    assert "promt" in said
