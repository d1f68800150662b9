"""The estimate of a mask's quality against true masks: scenes it was not fitted on, real images.

    python -m benchmarks.quality --scenes 40 --truth data/normalize/hrsc2016 data/normalize/isaid
    python -m benchmarks.quality --nwpu ../shared/real/nwpu_vhr10 --isaid ../shared/real/dota_isaid

Scenes are of seeds that neither the fit, nor nano's training, nor the demo uses, drawn as those of
the fit (``samrs/fit_quality/scenes.py``). Real images serve evaluation only. Prints one JSON line a
dataset and recipe (``samrs/fit_quality/figures.py``), beside it what nano's predicted IoU alone
would do; ``--plot`` draws the reliability diagram.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from samrs.ablation.ablation import ablate
from samrs.audit.audit import keep_scenes, match_truth
from samrs.drawing.style import styled
from samrs.fit_quality.figures import figures, reliability
from samrs.fit_quality.fit_quality import columns_of
from samrs.fit_quality.scenes import write_scenes
from samrs.look.look import CUT
from samrs.normalize.normalize import normalize
from samrs.release.quality import Quality, read_quality
from samrs.weights.weights import find_checkpoint

FIRST_SEED = 40_000_000
RUNTIME = {"executor": "local", "device": "cpu", "threads": None}
DOTA_TILE: dict[str, Any] = {"tile": 1024, "overlap": 200}
WHOLE: dict[str, Any] = {"tile": None, "overlap": 0}
COMPARED = ("spearman", "ece", "worst_holds")
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8)
"""Of ``release.min_quality``."""


def products(wanted: argparse.Namespace, work: Path) -> Iterator[tuple[str, Path]]:
    """Name and normalized product, with true masks, of every dataset asked for."""
    if wanted.scenes:
        seeds = range(FIRST_SEED, FIRST_SEED + wanted.scenes)
        yield "unseen scenes", write_scenes(work / "scenes", seeds)
    for product in wanted.truth:
        yield product.name, product
    if wanted.nwpu:
        normalize("coco", wanted.nwpu, work / "nwpu", **CUT, **WHOLE)
        if wanted.limit:
            keep_scenes(work / "nwpu", work / "nwpu-some", wanted.limit)
        yield "nwpu_vhr10", work / ("nwpu-some" if wanted.limit else "nwpu")
    if wanted.isaid:
        for dataset in ("dota", "isaid"):
            normalize(dataset, wanted.isaid, work / dataset, **CUT, **DOTA_TILE)
        match_truth(work / "dota", work / "isaid")
        yield "dota_isaid", work / "dota"


def measured(quality: Quality, name: str, frame: pd.DataFrame) -> dict[str, Any]:
    """One line: figures of the estimate, and the same of the predicted IoU where it differs.

    ``kept`` has for each threshold of the estimate the share of masks kept and their mean IoU.
    """
    iou = frame["iou"].to_numpy()
    alone = figures(np.nan_to_num(frame["predicted_iou"].to_numpy()).clip(0, 1), iou)
    estimate = quality.estimate(columns_of(frame))
    beside = {f"predicted_iou_{key}": alone[key] for key in COMPARED}
    about = {"dataset": name, "recipe": frame["recipe"].iloc[0]}
    return {**about, **figures(estimate, iou), **beside, "kept": kept(estimate, iou)}


def kept(estimate: NDArray[np.float64], iou: NDArray[np.float64]) -> dict[str, list[float | None]]:
    """What each of THRESHOLDS keeps: share of the masks, and their mean IoU (None without any)."""
    passed = {str(least): estimate >= least for least in THRESHOLDS}
    return {
        least: [
            round(float(some.mean()), 3),
            round(float(iou[some].mean()), 3) if some.any() else None,
        ]
        for least, some in passed.items()
    }


def plot(lines: dict[str, tuple[Any, Any]], path: Path) -> None:
    """The reliability diagram: mean IoU over mean estimate, a line a dataset and recipe."""
    with styled():
        figure = Figure(figsize=(5.6, 5.2), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        for name, (estimate, iou) in lines.items():
            axes.plot(*reliability(estimate, iou), marker="o", markersize=3.5, label=name)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Estimated IoU", ylabel="True IoU")
        axes.set_title("Mean IoU of equally many masks, by estimate")
        axes.grid()
        axes.legend(frameon=False, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("--scenes", type=int, default=0)
    parser.add_argument("--truth", type=Path, nargs="*", default=[], help="normalized, with truth")
    parser.add_argument("--nwpu", type=Path, help="folder of NWPU VHR-10, with annotations.json")
    parser.add_argument("--limit", type=int, help="images of NWPU VHR-10, evenly spaced")
    parser.add_argument("--isaid", type=Path, help="folder of DOTA's boxes with iSAID's masks")
    parser.add_argument("--recipes", nargs="+", default=["hbox"])
    parser.add_argument("--segmenter", default="sam")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--quality", type=Path, default=Path("samrs/models/quality.json"))
    parser.add_argument("--plot", type=Path)
    wanted = parser.parse_args()
    quality = read_quality(wanted.quality)
    lines: dict[str, tuple[Any, Any]] = {}
    with TemporaryDirectory() as work:
        for name, product in products(wanted, Path(work)):
            frame = ablate(
                product, recipes=wanted.recipes, floors=(),
                checkpoint=find_checkpoint(wanted.segmenter, wanted.model),
                precision="float32", runtime=RUNTIME,
            )  # fmt: skip
            for recipe, part in frame.groupby("recipe", sort=False):
                print(json.dumps(measured(quality, name, part)), flush=True)
                estimate = quality.estimate(columns_of(part))
                lines[f"{name}, {recipe}"] = estimate, part["iou"].to_numpy()
    if wanted.plot:
        plot(lines, wanted.plot)


if __name__ == "__main__":
    main()
