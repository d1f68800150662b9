"""Prompt ablation: every recipe, and what it must beat, against true masks.

Metrics of SAMRS (arXiv 2305.02034): **mIOU_I** is the mean over instances of IoU(mask, true mask),
**mIOU_P** the sum of intersections over the sum of unions. The floors are segmenters that have
learnt nothing (filled box, filled rotated box, GrabCut). A tile is encoded once for all recipes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samrs.core import axis
from samrs.core.dispatch import in_order
from samrs.core.errors import ProductError
from samrs.core.images import decode_rgb
from samrs.core.prompting import Boxes, Prediction, Prompt
from samrs.core.rle import Rle, rle_area, rle_intersection
from samrs.core.shards import iter_rows
from samrs.label import SEGMENTERS, Row, executor_of, instance_boxes, tiles, where
from samrs.plots import STYLE
from samrs.recipes import parse_recipe
from samrs.scores import mask_scores

FLOOR_RECIPE = "hbox+rbox"
"""What the floors are asked: each takes the part it understands, the box or the rotated box."""

SIDES = (16, 32, 96)
"""Size bins by true area: sides of squares in px; 32 and 96 are COCO's small and medium."""

BINS = ("<16²", "16²–32²", "32²–96²", ">96²")
ALL = "all"


def ablate(
    normalized: Path,
    *,
    recipes: Sequence[str],
    floors: Sequence[str],
    segmenter: str,
    model: str,
    precision: str,
    runtime: Mapping[str, Any],
) -> pd.DataFrame:
    """Ask every recipe for every instance that has a true mask.

    Args:
        normalized: a product of ``normalize`` with a truth table.
        recipes: asked of ``segmenter``.
        floors: files of ``samrs/segmenters`` that need no weights.
        segmenter, model, precision, runtime: as in ``samrs.label.label``.

    Returns:
        One row per instance and recipe (floors by their segmenter's name): ``scene_id, tile_id,
        instance_id, category, hbb`` (xyxy, the box asked about), ``kind`` (recipe or floor),
        ``recipe, fallback, iou, intersection, union, true_area`` (px), the columns of
        ``samrs.scores.mask_scores`` (``obb_iou`` is NaN without obb), ``predicted_iou`` and
        ``stability_score`` (NaN where unknown) and ``rle``. Instances whose true mask has no pixel
        in their tile are left out.

    Raises:
        MissingInputError: there is no truth table.
        ProductError: no instance has a true mask.
    """
    device = axis.load(SEGMENTERS, segmenter).device(runtime)
    asker = partial(
        _Asker, recipes=recipes, floors=floors, segmenter=segmenter, model=model,
        precision=precision, device=device,
    )  # fmt: skip
    truths = {
        (row["tile_id"], row["instance_id"]): row["rle"]
        for row in iter_rows(normalized, "truth")
        if rle_area(row["rle"]) > 0
    }
    rows: list[Row] = []
    with executor_of(asker, {**runtime, "device": device}) as executor:
        jobs = _jobs(normalized, truths)
        for _, wait in in_order(jobs, lambda job: executor.submit(*job), executor.slots):
            rows += wait()
    if not rows:
        raise ProductError(
            f"{normalized}: nothing to measure, got no instance with a true mask; at least one is "
            "needed; use a dataset with masks"
        )
    return pd.DataFrame(rows)


def _jobs(
    normalized: Path, truths: Mapping[tuple[str, str], Rle]
) -> Iterator[tuple[Row, list[Row], list[Rle], str]]:
    """The tiles with instances that have a true mask: these, their masks, the tile's name."""
    for tile, all_instances in tiles(normalized, "prompt-ablation"):
        instances = [row for row in all_instances if (row["tile_id"], row["instance_id"]) in truths]
        if instances:
            true = [truths[row["tile_id"], row["instance_id"]] for row in instances]
            yield tile, instances, true, where(normalized, tile)


class _Asker:
    """Asks every recipe and floor for the instances of single tiles."""

    def __init__(
        self, *, recipes: Sequence[str], floors: Sequence[str], segmenter: str, model: str,
        precision: str, device: str,
    ) -> None:  # fmt: skip
        load = {"model": model, "precision": precision, "device": device}
        self.recipes = [parse_recipe(text) for text in recipes]
        self.engine = axis.load(SEGMENTERS, segmenter).load(**load)
        self.floors = {name: axis.load(SEGMENTERS, name).load(**load) for name in floors}
        self.floor_recipe = parse_recipe(FLOOR_RECIPE)

    def __call__(
        self, tile: Row, instances: list[Row], true: list[Rle], place: str
    ) -> list[dict[str, Any]]:
        """A row for every instance and recipe or floor."""
        boxes = instance_boxes(instances, (tile["height"], tile["width"]))
        image = decode_rgb(tile["image"]["bytes"], place)
        state = self.engine.encode(image)
        place_of = {"scene_id": tile["scene_id"], "tile_id": tile["tile_id"]}
        rows: list[Row] = []
        for recipe in self.recipes:
            prompt = recipe.build(boxes)
            about = {"kind": "recipe", "recipe": recipe.name}
            answer = self.engine.decode(state, prompt)
            rows += _compared({**place_of, **about}, instances, boxes, true, prompt, answer)
        prompt = self.floor_recipe.build(boxes)
        for name, floor in self.floors.items():
            about = {"kind": "floor", "recipe": name}
            answer = floor.decode(floor.encode(image), prompt)
            rows += _compared({**place_of, **about}, instances, boxes, true, prompt, answer)
        return rows


def _compared(
    about: Mapping[str, str],
    instances: Sequence[Row],
    boxes: Boxes,
    true: Sequence[Rle],
    prompt: Prompt,
    answer: Prediction,
) -> list[Row]:
    rows = []
    for i, (instance, truth, rle) in enumerate(zip(instances, true, answer.rles, strict=True)):
        obb = boxes.obb[i] if boxes.has_obb[i] else None
        scores = mask_scores(rle, boxes.hbb[i], obb)
        true_area = rle_area(truth)
        intersection = rle_intersection(rle, truth)
        union = true_area + scores["area"] - intersection
        rows.append(
            {
                **about,
                "instance_id": instance["instance_id"],
                "category": instance["category"],
                "hbb": boxes.hbb[i].tolist(),
                "fallback": bool(prompt.fallback[i]),
                "iou": intersection / union,
                "intersection": intersection,
                "union": union,
                "true_area": true_area,
                **scores,
                "obb_iou": math.nan if obb is None else scores["obb_iou"],
                "predicted_iou": float(answer.predicted_iou[i]),
                "stability_score": float(answer.stability_score[i]),
                "rle": rle,
            }
        )
    return rows


def size_bins(true_area: pd.Series[int]) -> pd.Series[str]:
    """The name of each area's size bin."""
    edges = [side**2 for side in SIDES]
    places = np.searchsorted(edges, true_area.to_numpy(), side="right")
    return pd.Series(np.array(BINS)[places], index=true_area.index)


def _scores(part: pd.DataFrame) -> dict[str, Any]:
    return {
        "count": len(part),
        "miou_i": round(float(part["iou"].mean()), 4),
        "miou_p": round(float(part["intersection"].sum() / part["union"].sum()), 4),
    }


def rows_by(frame: pd.DataFrame, column: str, values: Sequence[str]) -> list[dict[str, Any]]:
    """A flat table: each recipe, in the frame's order, over all and over each value of a column.

    Values without instances have no row.
    """
    rows = []
    for (kind, recipe), part in frame.groupby(["kind", "recipe"], sort=False):
        for value in (ALL, *values):
            some = part if value == ALL else part[part[column] == value]
            if len(some):
                about = {"recipe": recipe, "kind": kind, column: value}
                rows.append({**about, **_scores(some)})
    return rows


def to_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """``recipe, kind, bin, count, miou_i, miou_p`` over all and per size bin, for a CSV."""
    return rows_by(frame.assign(bin=size_bins(frame["true_area"])), "bin", BINS)


def class_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """``recipe, kind, category, count, miou_i, miou_p`` over all and per class, for a CSV."""
    return rows_by(frame, "category", sorted(set(frame["category"])))


def summarise(frame: pd.DataFrame) -> dict[str, Any]:
    """Nested scores for JSON: ``recipes`` and ``floors``, each recipe -> bin -> scores.

    Also ``instances`` measured, and ``best``: the recipe of the highest mIOU_I.
    """
    summary: dict[str, Any] = {"recipes": {}, "floors": {}}
    for row in to_rows(frame):
        scores = {key: row[key] for key in ("count", "miou_i", "miou_p")}
        summary[f"{row['kind']}s"].setdefault(row["recipe"], {})[row["bin"]] = scores
    recipes = summary["recipes"]
    best = max(recipes, key=lambda name: recipes[name][ALL]["miou_i"], default=None)
    instances = len(frame[["tile_id", "instance_id"]].drop_duplicates())
    return {"instances": instances, "best": best, **summary}


def plot(frame: pd.DataFrame, path: Path) -> None:
    """Write grouped bars of mIOU_I per size bin, floors in grey; equal frames, equal bytes."""
    table = pd.DataFrame(to_rows(frame))
    series = list(dict.fromkeys(zip(table["kind"], table["recipe"], strict=True)))
    groups = [name for name in (ALL, *BINS) if (table["bin"] == name).any()]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        axes = figure.subplots()
        _draw_bars(axes, table, series, groups)
        axes.set_title("Masks against true masks, by prompt recipe and true size")
        axes.set_ylabel("mIOU_I")
        axes.set_ylim(0, 1)
        axes.grid(axis="y")
        figure.legend(loc="outside right upper", frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, metadata={"Software": None})


def _draw_bars(
    axes: Axes, table: pd.DataFrame, series: Sequence[tuple[str, str]], groups: Sequence[str]
) -> None:
    width = 0.84 / len(series)
    recipes = [name for kind, name in series if kind == "recipe"]
    floors = [name for kind, name in series if kind == "floor"]
    colours = mpl.colormaps["viridis"](np.linspace(0.05, 0.92, max(len(recipes), 1)))
    greys = np.linspace(0.78, 0.5, max(len(floors), 1))
    for i, (kind, name) in enumerate(series):
        own = table[(table["recipe"] == name) & (table["kind"] == kind)].set_index("bin")
        heights = own["miou_i"].reindex(list(groups)).to_numpy()
        at = np.arange(len(groups)) + (i - (len(series) - 1) / 2) * width
        floor = kind == "floor"
        fill = str(greys[floors.index(name)]) if floor else colours[recipes.index(name)]
        text = f"{name} (floor)" if floor else name
        bars = axes.bar(at, np.nan_to_num(heights), width * 0.92, color=fill, label=text)
        numbers = ["" if np.isnan(h) else f"{h:.2f}" for h in heights]
        axes.bar_label(bars, numbers, rotation=90, padding=2, fontsize=6.5)
    counts = table.groupby("bin")["count"].max()
    axes.set_xticks(
        range(len(groups)),
        [f"{g}{'' if g == ALL else ' px'}\nn = {counts[g]:,}" for g in groups],
    )
