"""Prompt ablation: every recipe, and what it must beat, against true masks.

The floors are segmenters that have learnt nothing (filled box, filled rotated box, GrabCut). A tile
is encoded once for all recipes. What is made of the frame: ``comparison/tables.py`` (numbers),
``samrs/comparison/plots.py`` and ``samrs/comparison/side_by_side.py`` (pictures).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.images import decode_rgb
from samrs.core.jobs import in_order
from samrs.core.rle import Rle, rle_area
from samrs.core.shards import iter_rows
from samrs.label.label import Row, executor_of, instance_boxes, segmenter_of, tiles, where
from samrs.label.scores import mask_scores
from samrs.measures.truth_scores import truth_scores
from samrs.prompting.recipes import parse_recipe, parse_recipes
from samrs.prompting.types import Boxes, Prediction
from samrs.prompting.view import Spent, View
from samrs.weights.checkpoint import Checkpoint

FLOOR_RECIPE = "hbox+rbox"
"""What the floors are asked: each takes the part it understands, the box or the rotated box."""


SECONDS = ("encode_seconds", "seconds")
"""Columns that differ from run to run."""


def ablate(
    normalized: Path,
    *,
    recipes: Sequence[str],
    floors: Sequence[str],
    checkpoint: Checkpoint,
    precision: str,
    runtime: Mapping[str, Any],
    timed: bool = False,
) -> pd.DataFrame:
    """Ask every recipe for every instance that has a true mask. Same input, same frame.

    Args:
        normalized: a product of ``normalize`` with a truth table.
        recipes: asked of the segmenter of ``checkpoint``.
        floors: files of ``samrs/segmenters`` that need no weights.
        checkpoint: as in ``samrs.label.label``.
        precision: as in ``samrs.label.label``.
        runtime: as in ``samrs.label.label``.
        timed: adds ``encode_seconds``, the instance's share of encoding its tile once for all
            recipes, and ``seconds``, its share of all else the recipe did: the thread's processor
            seconds on a CPU, wall-clock seconds on another device.

    Returns:
        One row per instance and recipe (floors by their segmenter's name): ``scene_id, tile_id,
        instance_id, category, hbb`` (xyxy, the box asked about), ``kind`` (recipe or floor),
        ``recipe, fallback``, the columns of ``samrs.measures.truth_scores`` (``iou`` and others)
        and of ``samrs.label.scores.mask_scores`` (``obb_iou`` is NaN without obb),
        ``predicted_iou``, ``stability_score`` and ``disagreement`` (NaN where unknown),
        ``encoder_passes`` and ``decoder_prompts`` (the instance's share of its tile's) and ``rle``.
        Instances whose true mask has no pixel in their tile are left out.

    Raises:
        MissingInputError: there is no truth table.
        ProductError: no instance has a true mask.
        UnknownNameError, ParameterError: a recipe does not exist or is named twice.
    """
    device = segmenter_of(checkpoint, precision).device(runtime)
    asker = partial(
        _Asker, recipes=recipes, floors=floors, checkpoint=checkpoint, precision=precision,
        device=device,
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
    frame = pd.DataFrame(rows)
    return frame if timed else frame.drop(columns=list(SECONDS))


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
        self, *, recipes: Sequence[str], floors: Sequence[str], checkpoint: Checkpoint,
        precision: str, device: str,
    ) -> None:  # fmt: skip
        def load(of: Checkpoint) -> Any:
            module = segmenter_of(of, precision)
            return module.load(checkpoint=of, precision=precision, device=device)

        self.recipes = parse_recipes(recipes)
        self.engine = load(checkpoint)
        self.floors = {name: load(Checkpoint(name, checkpoint.model)) for name in floors}
        self.floor_recipe = parse_recipe(FLOOR_RECIPE)
        self.clock = time.thread_time if device == "cpu" else time.perf_counter

    def __call__(
        self, tile: Row, instances: list[Row], true: list[Rle], where: str
    ) -> list[dict[str, Any]]:
        """A row for every instance and recipe or floor."""
        boxes = instance_boxes(instances, (tile["height"], tile["width"]))
        image = decode_rgb(tile["image"]["bytes"], where)
        view, began = View(self.engine, image), self.clock()
        view.decode(self.floor_recipe.build(boxes.take(slice(0))))
        of_tile = {"scene_id": tile["scene_id"], "tile_id": tile["tile_id"]}
        of_tile["encode_seconds"] = (self.clock() - began) / len(boxes)
        rows: list[Row] = []
        for recipe in self.recipes:
            about: dict[str, Any] = {"kind": "recipe", "recipe": recipe.name}
            own, began = view.again(), self.clock()
            answer = recipe.ask(own, boxes)
            about["seconds"] = (self.clock() - began) / len(boxes)
            about |= {name: count / len(boxes) for name, count in asdict(own.spent).items()}
            fallback = recipe.fallback(boxes)
            rows += _compared({**of_tile, **about}, instances, boxes, true, fallback, answer)
        prompt = self.floor_recipe.build(boxes)
        for name, floor in self.floors.items():
            about = {"kind": "floor", "recipe": name, **asdict(Spent())}
            began = self.clock()
            answer = floor.decode(floor.encode(image), prompt)
            about["seconds"] = (self.clock() - began) / len(boxes)
            rows += _compared({**of_tile, **about}, instances, boxes, true, prompt.fallback, answer)
        return rows


def _compared(
    about: Mapping[str, Any],
    instances: Sequence[Row],
    boxes: Boxes,
    true: Sequence[Rle],
    fallback: NDArray[np.bool_],
    answer: Prediction,
) -> list[Row]:
    rows = []
    apart = answer.disagreement
    for i, (instance, truth, rle) in enumerate(zip(instances, true, answer.rles, strict=True)):
        obb = boxes.obb[i] if boxes.has_obb[i] else None
        scores = mask_scores(rle, boxes.hbb[i], obb)
        rows.append(
            {
                **about,
                "instance_id": instance["instance_id"],
                "category": instance["category"],
                "hbb": boxes.hbb[i].tolist(),
                "fallback": bool(fallback[i]),
                **truth_scores(rle, truth),
                **scores,
                "obb_iou": math.nan if obb is None else scores["obb_iou"],
                "predicted_iou": float(answer.predicted_iou[i]),
                "stability_score": float(answer.stability_score[i]),
                "disagreement": math.nan if apart is None else float(apart[i]),
                "rle": rle,
            }
        )
    return rows
