"""Fit the estimate of a mask's quality (``samrs/release/quality.py``) on procedural scenes.

    samrs fit-quality --out samrs/models/quality.json

Draws scenes that neither the demo, nor training, nor a test uses, asks nano for the masks of their
objects by several recipes, and fits boosted trees on the masks' scores to their IoU with the true
masks. Every fifth of the scenes is judged by trees that did not see it: these answers give the
calibration curve and the figures of the card. The same command gives the same bytes on one machine;
run it again when nano's weights or the scores change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from samrs.ablation.ablation import ablate
from samrs.core.errors import ParameterError
from samrs.core.parallel import limited_to, map_stream
from samrs.core.shards import json_text
from samrs.fit_quality.figures import figures
from samrs.fit_quality.scenes import RARE, USUAL, Style, write_scenes
from samrs.release.quality import COLUMNS, FEATURES, FORMAT, Floats, features
from samrs.weights.weights import find_checkpoint

FIRST_SEED = 30_000_000
RARE_SEED = 31_000_000
SCENES = 264
"""Two thirds are usual, from ``FIRST_SEED`` on, the others rare, from ``RARE_SEED`` on."""
PART = 15
"""Scenes that a process labels at once; fewer than ``write_scenes`` would draw in processes."""
SEGMENTER, MODEL, PRECISION = "sam", "nano", "float32"
RECIPES = (
    ("hbox", "point", "rbox"),
    ("hbox", "rhbox", "rotated", "soft_rbox"),
    ("hbox", "hbox+point", "consensus"),
    ("hbox", "hbox_mask", "zoom", "soft_rbox+zoom"),
    ("hbox", "fit", "two_sizes", "soft_rbox+two_sizes"),
    *[("hbox",)] * 7,
)
"""Asked of the first, second and so on of every twelve scenes: more scenes beat more recipes."""
FOLDS = 5
KNOTS = 16
SCORELESS = 0.05
"""Share of the masks fitted once more without the segmenter's scores, as GrabCut has none."""
LARGEST = np.finfo(np.float64).max
OWN_SCORES = ("predicted_iou", "stability_score", "disagreement")
TREES = {
    "loss": "squared_error",
    "learning_rate": 0.08,
    "max_iter": 80,
    "max_depth": 6,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "random_state": 0,
}


def label_scenes(
    work: Path,
    seeds: Sequence[int],
    recipes: Sequence[str],
    runtime: Mapping[str, Any],
    style: Style = USUAL,
) -> pd.DataFrame:
    """What ``ablate`` gives for scenes, a scene a seed, written below ``work``.

    Args:
        seeds: one a scene.
    """
    return ablate(
        write_scenes(work, seeds, style), recipes=recipes, floors=(),
        checkpoint=find_checkpoint(SEGMENTER, MODEL), precision=PRECISION, runtime=runtime,
    )  # fmt: skip


def _parts(scenes: int) -> Iterator[tuple[Sequence[int], Sequence[str], Style]]:
    """Seeds, recipes and style of at most ``PART`` scenes each."""
    rare = scenes // 3
    usual = range(FIRST_SEED, FIRST_SEED + scenes - rare)
    for seeds, style in ((usual, USUAL), (range(RARE_SEED, RARE_SEED + rare), RARE)):
        for i, recipes in enumerate(RECIPES):
            own = seeds[i :: len(RECIPES)]
            for start in range(0, len(own), PART):
                yield own[start : start + PART], recipes, style


def _label_part(
    work: Path,
    runtime: Mapping[str, Any],
    part: tuple[Sequence[int], Sequence[str], Style],
) -> pd.DataFrame:
    seeds, recipes, style = part
    return label_scenes(work / str(seeds[0]), seeds, recipes, runtime, style)


def columns_of(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """A frame of ``ablate`` as the columns that the estimate looks at."""
    names = [*COLUMNS, *(["disagreement"] if "disagreement" in frame else [])]
    return {name: np.array(frame[name].tolist(), dtype=np.float64) for name in names}


def fit(frame: pd.DataFrame) -> dict[str, Any]:
    """Baseline, trees, calibration curve and held-out figures, as in ``samrs/models/quality.json``.

    Args:
        frame: from ``ablate``: scores, ``iou`` and ``scene_id`` of masks; empty masks are left out,
            as the estimate of these is 0 anyway.
    """
    seen = frame[frame["area"] > 0]
    table, iou = features(columns_of(seen)), seen["iou"].to_numpy()
    answers = np.empty(len(iou))
    with threadpool_limits(1):  # sums of several threads round as they come
        folds = GroupKFold(FOLDS).split(table, groups=seen["scene_id"])
        for train, test in folds:
            trees = _boost(table[train], iou[train])
            answers[test] = trees.predict(table[test])
        trees = _boost(table, iou)
    said, curve = _calibration(answers, iou)
    judged = np.interp(answers, said, curve)
    return {
        "baseline": float(trees._baseline_prediction.item()),
        "trees": [_as_lists(one) for (one,) in trees._predictors],
        "calibration": {"said": said.tolist(), "seen": curve.tolist()},
        "held_out": figures(judged, iou),
    }


def _boost(table: Floats, iou: Floats) -> HistGradientBoostingRegressor:
    """Trees that also know a few of the masks without the segmenter's own scores."""
    every = round(1 / SCORELESS)
    blind = table[::every].copy()
    blind[:, [list(FEATURES).index(name) for name in OWN_SCORES]] = np.nan
    shown = np.concatenate([table, blind])
    shown[:, np.isnan(shown).all(axis=0)] = 0  # a score that no mask has: nothing to split by
    model = HistGradientBoostingRegressor(**TREES, monotonic_cst=list(FEATURES.values()))
    return model.fit(shown, np.concatenate([iou, iou[::every]]))


def _as_lists(tree: Any) -> dict[str, list[Any]]:
    """The nodes of one of scikit-learn's trees, for ``Trees.from_lists``."""
    nodes = tree.nodes
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "feature": np.where(leaf, -1, nodes["feature_idx"]).tolist(),
        # infinite where only missing values go right; JSON has no such number
        "threshold": np.where(leaf, 0.0, nodes["num_threshold"]).clip(max=LARGEST).tolist(),
        "missing_left": nodes["missing_go_to_left"].astype(int).tolist(),
        "left": nodes["left"].astype(int).tolist(),
        "right": nodes["right"].astype(int).tolist(),
        "value": np.where(leaf, nodes["value"], 0.0).tolist(),
    }


def _calibration(said: Floats, iou: Floats) -> tuple[Floats, Floats]:
    """``KNOTS`` points of the rising curve from what trees say to the IoU seen, and its ends."""
    rising = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(said, iou)
    order = np.argsort(said, kind="stable")
    parts = [np.sort(said[part]) for part in np.array_split(order, KNOTS)]
    at = [parts[0][:1], *(part.mean(keepdims=True) for part in parts), parts[-1][-1:]]
    curve = [float(rising.predict(part).mean()) for part in (parts[0][:1], *parts, parts[-1][-1:])]
    return np.concatenate(at), np.array(curve)


def fit_scenes(scenes: int, work: Path, runtime: Mapping[str, Any]) -> dict[str, Any]:
    """All of ``samrs/models/quality.json``, fitted on ``scenes`` scenes written below ``work``.

    Raises:
        ParameterError: there are fewer scenes than parts to judge in turn.
    """
    if scenes < FOLDS:
        raise ParameterError(
            f"scenes: too few to judge each by trees that did not see it, got {scenes}; {FOLDS} "
            f"or more are allowed; take some dozens, {SCENES} are usual"
        )
    label = partial(_label_part, work, {**runtime, "threads": 1})
    with limited_to(runtime["threads"]):
        many = scenes > len(RECIPES) * PART
        frames = list(map_stream(label, _parts(scenes), processes=many))
    frame = pd.concat(frames, ignore_index=True)
    found = fit(frame)
    fitted_on = {
        "segmenter": SEGMENTER,
        "model_sha256": find_checkpoint(SEGMENTER, MODEL).sha256,
        "prompts": sorted({part for name in set(frame["recipe"]) for part in name.split("+")}),
    }
    about = {
        "fitted_on": fitted_on,
        "scenes": int(frame["scene_id"].nunique()),
        "first_seed": FIRST_SEED,
        "held_out": found.pop("held_out"),
    }
    return {"format": FORMAT, "features": list(FEATURES), "about": about, **found}


def write_quality(path: Path, model: Mapping[str, Any]) -> None:
    """Write ``samrs/models/quality.json``, a tree a line; equal models are equal files."""
    lines = []
    for key in sorted(model):
        text = json_text(model[key], sort_keys=True, ascii=True)
        if key == "trees":
            trees = [json_text(tree, sort_keys=True, ascii=True) for tree in model[key]]
            text = "[\n" + ",\n".join(trees) + "\n]"
        lines.append(f'"{key}": {text}')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
