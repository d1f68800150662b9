"""Fitting: what is found is what was put in, and stands in the file as it was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from samrs.core.errors import ParameterError
from samrs.fit_quality.figures import figures
from samrs.fit_quality.fit_quality import (
    FIRST_SEED,
    PART,
    columns_of,
    fit,
    fit_scenes,
    write_quality,
)
from samrs.release.quality import FEATURES, FORMAT, Quality, Trees, features, read_quality
from tests.fit_quality.by_hand import scored_masks

FITTED_ON = {"model_sha256": "00ff", "segmenter": "sam", "prompts": ["hbox", "zoom"]}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return fit(scored_masks(1, 1500))


def written(path: Path, fitted: dict[str, Any]) -> Quality:
    model = {"format": FORMAT, "features": list(FEATURES), "about": {"fitted_on": FITTED_ON}}
    write_quality(path, {**model, **fitted})
    return read_quality(path)


def test_the_relation_is_found_on_masks_not_fitted_on(tmp_path: Path, fitted: Any) -> None:
    frame = scored_masks(2, 2000)
    estimate = written(tmp_path / "quality.json", fitted).estimate(columns_of(frame))
    iou = frame["iou"].to_numpy()
    found = figures(estimate, iou)
    assert found["spearman"] > 0.95
    assert found["ece"] < 0.03
    alone = figures(frame["predicted_iou"].to_numpy(), iou)
    assert alone["spearman"] < 0.7
    assert alone["ece"] > 0.2


def test_held_out_figures_are_of_scenes_not_fitted_on(fitted: dict[str, Any]) -> None:
    held_out = fitted["held_out"]
    assert held_out["masks"] == 1500
    assert 0.95 < held_out["spearman"] < 1


def test_the_curve_rises_and_stays_between_0_and_1(fitted: dict[str, Any]) -> None:
    said, seen = (np.array(fitted["calibration"][name]) for name in ("said", "seen"))
    assert (np.diff(said) > 0).all()
    assert (np.diff(seen) >= 0).all()
    assert seen[0] >= 0
    assert seen[-1] <= 1


def test_the_same_masks_give_the_same_text(fitted: dict[str, Any]) -> None:
    assert json.dumps(fit(scored_masks(1, 1500))) == json.dumps(fitted)


def test_trees_in_the_file_answer_as_scikit_learns_do(tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    from samrs.fit_quality.fit_quality import _as_lists

    frame = scored_masks(3, 1500)
    table = features(columns_of(frame))
    table[::7, 0] = np.nan
    model = HistGradientBoostingRegressor(max_iter=30, max_leaf_nodes=12, random_state=0)
    known = ~np.isnan(table).all(axis=0)
    model.fit(np.where(known, table, 0), frame["iou"])
    lists = [_as_lists(one) for (one,) in model._predictors]
    trees = Trees.from_lists(float(model._baseline_prediction.item()), json_round_trip(lists))
    assert np.array_equal(trees.predict(table), model.predict(np.where(known, table, 0)))


def json_round_trip(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_disagreement_is_used_where_recipes_have_it(tmp_path: Path) -> None:
    frame = scored_masks(4, 1500)
    rng = np.random.default_rng(77)
    asked_often = rng.random(len(frame)) < 0.5
    spread = rng.uniform(0, 0.5, len(frame))
    frame["iou"] = np.where(asked_often, frame["iou"] * (1 - spread), frame["iou"])
    frame["disagreement"] = np.where(asked_often, spread, np.nan)
    quality = written(tmp_path / "quality.json", fit(frame))
    columns = columns_of(frame)
    sure = quality.estimate({**columns, "disagreement": np.full(len(frame), 0.0)})
    unsure = quality.estimate({**columns, "disagreement": np.full(len(frame), 0.5)})
    assert (sure >= unsure).all()
    assert (sure - unsure).mean() > 0.1


def test_masks_that_are_empty_are_not_fitted_on(fitted: dict[str, Any]) -> None:
    frame = scored_masks(1, 1500)
    empty = scored_masks(9, 200).assign(area=0, iou=0.0, scene_id="none")
    both = fit(pd.concat([frame, empty], ignore_index=True))
    assert json.dumps(both) == json.dumps(fitted)


@pytest.mark.parametrize("scenes", [-4, 0, 4])
def test_too_few_scenes_are_refused_in_one_sentence(scenes: int, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=rf"^scenes: too few.*got {scenes}; 5 or more"):
        fit_scenes(scenes, tmp_path, {"executor": "local", "device": "cpu", "threads": 1})
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_gives_the_same_bytes_in_processes_and_alone_with_nano(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = {"executor": "local", "device": "cpu", "threads": 2}
    for name, part in (("alone", PART), ("in_processes", 1)):
        monkeypatch.setattr("samrs.fit_quality.fit_quality.PART", part)
        model = fit_scenes(9, tmp_path / name, runtime)
        write_quality(tmp_path / f"{name}.json", model)
    texts = [(tmp_path / f"{name}.json").read_bytes() for name in ("alone", "in_processes")]
    assert texts[0] == texts[1]
    assert read_quality(tmp_path / "alone.json").about["first_seed"] == FIRST_SEED
