"""The headline fits a terminal: what ``dvc exp show`` prints, by real dvc."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from samrs.finetune.headline import surely_gained
from samrs.stats.stats import over_subsets
from tests.pipeline.closure import ROOT
from tests.pipeline.graph import paths, stages
from tests.pipeline.stand_in import run

COLUMNS = 120
DOCUMENTED = ("--hide-workspace", "--only-changed", "--drop", r"Created|data/.*|.*\.yaml")


def headline(more: float) -> dict[str, dict[str, Any]]:
    """What the stages write below ``metrics/headline``.

    Args:
        more: what values are larger by.
    """
    measured = json.loads((ROOT / "metrics" / "stats.json").read_text(encoding="utf-8"))
    for subset in measured.values():
        subset["instances"] += int(1000 * more)
        subset["mean_box_iou"] += more
        subset["mean_outside"] += more
    low = {"mean": 0.1, "low": 0.0213 + more, "high": 0.2}
    done = {"mode": "probe", "gain": {"encoder": {"pretrain": {"0.1": low, "0.5": low}}}}
    return {
        "metrics/headline/stats.json": over_subsets(measured),
        "metrics/headline/compare_prompts.json": {"miou_i": 0.9103 - more},
        "metrics/headline/pretrain.json": {"loss": 6.4676 + more},
        **{
            f"metrics/headline/finetune/{name}.json": {name: surely_gained(done)}
            for name in ("isaid", "potsdam")
        },
    }


def test_these_are_all_metrics_of_the_graph() -> None:
    declared = {path for stage in stages().values() for path in paths(stage.get("metrics", []))}
    assert declared == set(headline(0))


def test_a_table_in_which_all_of_it_changed_fits_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    run(tmp_path, "git", "init", "-q", "-b", "main")
    run(tmp_path, "dvc", "init", "-q")
    names = list(headline(0))
    graph = {"metrics": names, "params": ["params.yaml"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(graph), encoding="utf-8")
    for prompt, more in (("hbox", 0.0), ("rhbox", 0.05)):
        (tmp_path / "params.yaml").write_text(f"prompt: {prompt}\n", encoding="utf-8")
        for name, values in headline(more).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(json.dumps(values), encoding="utf-8")
        run(tmp_path, "git", "add", ".")
        run(tmp_path, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", prompt)
    table = run(tmp_path, "dvc", "exp", "show", "-n", "2", "--no-pager", *DOCUMENTED)
    assert "…" not in table
    for name in ("instances", "box_iou", "outside", "miou_i", "loss", "potsdam.gain"):
        assert name in table
    # a name of an experiment takes more room than that of a commit, as in the docs
    more = len("└── 46665f2 [try-rhbox]") - len("Experiment")
    assert max(len(line.rstrip()) for line in table.splitlines()) + more <= COLUMNS
