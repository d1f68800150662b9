"""Label a dataset: a mask with scores for every instance of its tiles.

Tiles go through one at a time; nothing is filtered away, empty masks included, so that thresholds
can be chosen later (``release``) without running the model again. Finished tiles are kept in a
work folder (``samrs/journal.py``): a killed run goes on where it was, and a dataset that grew has
only its new tiles encoded.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from samrs.journal import Journal, tile_key
from samrs.recipes import Recipe, parse_recipe
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
    work: Path,
) -> dict[str, Any]:
    """Write the product ``sam_label/<dataset>`` and return its metrics.

    On SIGTERM the tile at hand is finished and kept, and the exit status is 143.

    Args:
        normalized: a product of ``normalize``.
        out: folder of the product; what stood there before is removed.
        prompt: a recipe, e.g. ``hbox`` or ``hbox+point``.
        segmenter: a file of ``samrs/segmenters``.
        model: nano, vit_b, vit_l or vit_h; segmenters without weights ignore it.
        precision: float32 or bfloat16, of the image encoder.
        runtime: ``device`` (auto, cpu, cuda) and ``threads`` (None: torch's choice); speed only.
        work: folder of the dataset's finished tiles; what it holds changes speed only.

    Raises:
        ImageError: a tile does not decode.
        ProductError: an instance's tile is not where the order of the tiles puts it, another
            process labels the dataset, or the disk is full.
    """
    recipe = parse_recipe(prompt)
    module = axis.load(SEGMENTERS, segmenter)
    source = read_manifest(normalized)
    engine = module.load(model=model, precision=precision, runtime=runtime)
    made_by = {"recipe": recipe.name, "segmenter": segmenter, "model": model}
    made_with = {"precision": precision, "model_sha256": module.model_sha256(model)}
    totals = _Totals()
    with (
        Journal(work, MASKS, {**made_by, **made_with}) as journal,
        ShardWriter(fresh_product(out), "masks", MASKS) as writer,
        _stopping() as stop,
    ):
        desc = f"sam-label {source['dataset']}"
        for tile, instances in tiles(normalized, desc, lambda: f"{totals.rate():.1f} masks/s"):
            totals.tiles += 1
            if not instances:
                continue
            key = tile_key(tile, instances)
            rows = journal.get(key)
            if rows is None:
                rows = list(_labelled(engine, recipe, tile, instances, where(normalized, tile)))
                journal.put(key, rows)
                totals.new += len(rows)
            for row in rows:
                writer.write(row)
                totals.add(row)
            stop()
        if journal.found:
            log.info("%s: %d tiles were labelled before, kept", desc, journal.found)
        journal.prune()
    about = {name: source[name] for name in ("dataset", "categories", "terms")}
    write_manifest(
        out,
        {
            "product": "sam_label",
            **about,
            **made_by,
            **made_with,
        },
    )
    return {**totals.metrics(), **made_by}


def _labelled(
    engine: Any, recipe: Recipe, tile: Row, instances: list[Row], place: str
) -> Iterator[Row]:
    """The rows of the table masks of one tile."""
    boxes = instance_boxes(instances, (tile["height"], tile["width"]))
    asked = recipe.build(boxes)
    answer = engine.decode(engine.encode(decode_rgb(tile["image"]["bytes"], place)), asked)
    for i, instance in enumerate(instances):
        obb = boxes.obb[i] if boxes.has_obb[i] else None
        yield {
            **{name: instance[name] for name in MASKS.names if name in instance},
            "rle": answer.rles[i],
            **mask_scores(answer.rles[i], boxes.hbb[i], obb),
            "predicted_iou": _number(answer.predicted_iou[i]),
            "stability_score": _number(answer.stability_score[i]),
            "recipe": recipe.name,
            "fallback": bool(asked.fallback[i]),
        }


@contextmanager
def _stopping() -> Iterator[Callable[[], None]]:
    """A function that ends the program if SIGTERM came since; elsewhere it would not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))

    def stop() -> None:
        if asked:
            log.warning("sam-label: stopped by SIGTERM; finished tiles are kept, run it again")
            sys.exit(128 + signal.SIGTERM)

    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


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
        self.instances = self.new = 0
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
        """New masks a second so far."""
        return self.new / max(time.monotonic() - self.begin, 1e-9)

    def metrics(self) -> dict[str, Any]:
        log.info("%d masks, %d of them new, %.1f/s", self.instances, self.new, self.rate())
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
