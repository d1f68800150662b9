"""``samrs fit-quality`` writes where it is told to and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samrs.fit_quality.fit_quality import SCENES
from tests.commands.calls import call, misused, refused


def test_the_fitted_estimate_is_written_and_its_figures_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def fit_scenes(scenes: int, work: Path, runtime: dict[str, Any]) -> dict[str, Any]:
        asked.append((scenes, runtime["device"], runtime["threads"]))
        return {"about": {"held_out": {"ece": 0.01}}, "trees": []}

    monkeypatch.setattr("samrs.fit_quality.fit_quality.fit_scenes", fit_scenes)
    monkeypatch.chdir(tmp_path)
    done = call("fit-quality", "--out", "new/quality.json")
    assert (done.exit_code, done.stdout) == (0, '{"ece": 0.01}\n')
    assert json.loads(Path("new/quality.json").read_text())["trees"] == []
    call("fit-quality", "--out", "second.json", "--scenes", "9", "--threads", "2")
    assert asked == [(SCENES, "cpu", None), (9, "cpu", 2)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "second.json"]


def test_without_a_place_or_with_too_few_scenes_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Missing option '--out'" in misused(call("fit-quality"))
    assert "0 is not in the range" in misused(call("fit-quality", "--out", "a", "--scenes", "0"))
    done = call("fit-quality", "--out", "quality.json", "--scenes", "4")
    assert refused(done).startswith("scenes: too few to judge")
    assert not list(tmp_path.iterdir())
