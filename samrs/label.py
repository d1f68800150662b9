"""Label a dataset: a mask with scores for every instance of its tiles.

Tiles go through one at a time; nothing is filtered away, empty masks included, so that thresholds
can be chosen later (``release``) without running the model again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core import axis
from samrs.core.images import decode_rgb
from samrs.core.progress import progress
from samrs.core.prompting import Boxes
from samrs.core.records import MASKS
from samrs.core.shards import (
    ShardWriter,
    by_tile,
    fresh_product,
    iter_rows,
    read_manifest,
    read_table,
    write_manifest,
)
from samrs.recipes import parse_recipe
from samrs.scores import mask_scores

log = logging.getLogger("samrs")
SEGMENTERS = "samrs.segmenters"
MEANS = ("predicted_iou", "stability_score", "box_iou", "obb_iou", "outside")

Row = dict[str, Any]


def label(
    normalized: Path,
    out: Path,
    *,
    prompt: str,
    segmenter: str,
    model: str,
    precision: str,
    runtime: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the product ``sam_label/<dataset>`` and return its metrics.

    Args:
        normalized: a product of ``normalize``.
        out: folder of the product; what stood there before is removed.
        prompt: a recipe, e.g. ``hbox`` or ``hbox+point``.
        segmenter: a file of ``samrs/segmenters``.
        model: nano, vit_b, vit_l or vit_h; segmenters without weights ignore it.
        precision: float32 or bfloat16, of the image encoder.
        runtime: ``device`` (auto, cpu, cuda) and ``threads`` (None: torch's choice); speed only.

    Raises:
        ImageError: a tile does not decode.
        ProductError: an instance's tile is not where the order of the tiles puts it.
    """
    recipe = parse_recipe(prompt)
    module = axis.load(SEGMENTERS, segmenter)
    source = read_manifest(normalized)
    engine = module.load(model=model, precision=precision, runtime=runtime)
    totals = _Totals()
    with ShardWriter(fresh_product(out), "masks", MASKS) as writer:
        desc = f"sam-label {source['dataset']}"
        for tile, instances in tiles(normalized, desc, lambda: f"{totals.rate():.1f} masks/s"):
            totals.tiles += 1
            if not instances:
                continue
            boxes = instance_boxes(instances, (tile["height"], tile["width"]))
            asked = recipe.build(boxes)
            state = engine.encode(decode_rgb(tile["image"]["bytes"], where(normalized, tile)))
            answer = engine.decode(state, asked)
            for i, instance in enumerate(instances):
                obb = boxes.obb[i] if boxes.has_obb[i] else None
                row = {
                    **{name: instance[name] for name in MASKS.names if name in instance},
                    "rle": answer.rles[i],
                    **mask_scores(answer.rles[i], boxes.hbb[i], obb),
                    "predicted_iou": _number(answer.predicted_iou[i]),
                    "stability_score": _number(answer.stability_score[i]),
                    "recipe": recipe.name,
                    "fallback": bool(asked.fallback[i]),
                }
                writer.write(row)
                totals.add(row)
    made_by = {"recipe": recipe.name, "segmenter": segmenter, "model": model}
    about = {name: source[name] for name in ("dataset", "categories", "terms")}
    write_manifest(
        out,
        {
            "product": "sam_label",
            **about,
            **made_by,
            "precision": precision,
            "model_sha256": module.model_sha256(model),
        },
    )
    return {**totals.metrics(), **made_by}


def tiles(
    normalized: Path, desc: str, note: Callable[[], str] | None = None
) -> Iterator[tuple[Row, list[Row]]]:
    """The tiles of a normalized product with their instances, in stored order, showing progress.

    Raises:
        ProductError: the instances do not stand in the order of their tiles.
    """
    total = read_table(normalized, "tiles", ["tile_id"]).num_rows
    stored = iter_rows(normalized, "tiles", batch_rows=8)
    shown = progress(stored, desc=desc, unit="tile", total=total, note=note)
    yield from by_tile(normalized, shown, iter_rows(normalized, "instances", batch_rows=1024))


def where(normalized: Path, tile: Row) -> str:
    """A tile's name for errors."""
    return f"{normalized}: tile {tile['tile_id']}"


def instance_boxes(instances: Sequence[Row], size_hw: tuple[int, int]) -> Boxes:
    """The boxes of a tile's rows of the instances table."""
    none = np.full(8, np.nan)
    obbs = [none if row["obb"] is None else row["obb"] for row in instances]
    return Boxes(
        np.array([row["hbb"] for row in instances], dtype=np.float64).reshape(-1, 4),
        np.array(obbs, dtype=np.float64).reshape(-1, 4, 2),
        size_hw,
    )


def _number(score: float) -> float | None:
    return None if np.isnan(score) else round(float(score), 6)


class _Totals:
    """Counts and means over the masks."""

    def __init__(self) -> None:
        self.tiles = self.empty = self.fallbacks = self.multiple = 0
        self.scores: dict[str, list[float]] = {name: [] for name in MEANS}
        self.instances = 0
        self.begin = time.monotonic()

    def add(self, row: Mapping[str, Any]) -> None:
        self.instances += 1
        self.empty += row["area"] == 0
        self.fallbacks += row["fallback"]
        self.multiple += row["components"] > 1
        for name, values in self.scores.items():
            if row[name] is not None:
                values.append(row[name])

    def rate(self) -> float:
        """Masks a second so far."""
        return self.instances / max(time.monotonic() - self.begin, 1e-9)

    def metrics(self) -> dict[str, Any]:
        log.info("%d masks, %.1f masks/s", self.instances, self.rate())
        return {
            "tiles": self.tiles,
            "instances": self.instances,
            "empty_masks": self.empty,
            "fallbacks": self.fallbacks,
            "multi_component_share": round(self.multiple / max(self.instances, 1), 6),
            **{
                f"mean_{name}": round(float(np.mean(values)), 6)
                for name, values in self.scores.items()
                if values
            },
        }
