"""Label a dataset: a mask with scores for every instance of its tiles.

Nothing is filtered away, empty masks included, so that thresholds can be chosen later
(``release``) without running the model again. Several tiles are in work at once, on this machine or
on a cluster (``samrs/executors``). Finished tiles are kept in a work folder (``journal.py``):
a killed run goes on where it was, and a dataset that grew has only its new tiles encoded.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from samrs.arithmetic import instructions
from samrs.core import axis
from samrs.core.errors import ImageError
from samrs.core.images import decode_rgb
from samrs.core.jobs import Executor, Wait, in_order
from samrs.core.progress import progress
from samrs.core.records import MASKS
from samrs.core.shards import (
    ShardWriter,
    by_tile,
    fresh_product,
    iter_rows,
    read_manifest,
    read_table,
    shard_paths,
    write_manifest,
)
from samrs.core.tiling import far_too_large
from samrs.label.journal import Journal, tile_key
from samrs.label.log import LabelLog
from samrs.label.scores import mask_scores
from samrs.prompting.recipes import Recipe, parse_recipe
from samrs.prompting.types import Boxes
from samrs.prompting.view import View
from samrs.weights.checkpoint import Checkpoint
from samrs.work.fingerprint import fingerprint

log = logging.getLogger("samrs")
SEGMENTERS = "samrs.segmenters"
EXECUTORS = "samrs.executors"
NAMED_FAILURES = 3
LIBRARIES = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "pycocotools",
    "segment-anything",
    "timm",
    "torchvision",
    "transformers",
)
"""Their versions may change a mask."""

Row = dict[str, Any]


def label(
    normalized: Path,
    out: Path,
    *,
    prompt: str,
    checkpoint: Checkpoint,
    precision: str,
    runtime: Mapping[str, Any],
    work: Path,
) -> dict[str, Any]:
    """Write the product ``sam_label/<dataset>`` and return its metrics.

    On SIGTERM the tiles in work are finished and kept, and the exit status is 143. A tile whose
    image does not decode is passed over and named at the end; any other error ends the run once the
    tiles in work are finished and kept.

    Args:
        normalized: a product of ``normalize``.
        out: folder of the product; what stood there before is removed.
        prompt: a recipe, e.g. ``hbox`` or ``hbox+point``.
        checkpoint: of the segmenter that labels.
        precision: float32, float32-fast, bfloat16 or bfloat16-compiled, of the image encoder.
        runtime: ``executor`` (a file of ``samrs/executors``), ``device`` (auto, cpu, cuda) and
            ``threads`` (tiles at once; None: all cores); speed only.
        work: folder of the dataset's finished tiles and of ``log.jsonl``; what it holds changes
            speed only.

    Raises:
        ImageError: tiles do not decode.
        ProductError: the checkpoint has other bytes, an instance's tile is not where the order of
            the tiles puts it, another process labels the dataset, or the disk is full.
    """
    recipe = parse_recipe(prompt)
    module = segmenter_of(checkpoint, precision)
    source = read_manifest(normalized)
    made_by = {"recipe": recipe.name, **checkpoint.about}
    made_with = {"precision": precision, "model_sha256": checkpoint.sha256}
    desc = f"sam-label {source['dataset']}"
    sides = read_table(normalized, "tiles", ["width", "height"]).to_pandas().max(axis=1)
    if large := far_too_large(source["dataset"], sides):
        log.warning("sam-label %s", large)
    device = module.device(runtime)
    told = {**made_by, **made_with, "device": device}
    labeller = partial(
        Labeller, prompt=prompt, checkpoint=checkpoint, precision=precision, device=device
    )
    with (
        executor_of(labeller, {**runtime, "device": device}) as executor,
        Journal(
            work, fingerprint(told, code=_code(recipe, module), libraries=LIBRARIES)
        ) as journal,
        LabelLog(desc, work / "log.jsonl", told) as totals,
        ShardWriter(fresh_product(out), "masks", MASKS) as writer,
        _stopping() as stopped,
    ):
        run = _Run(normalized, executor, journal, totals, stopped)
        shard_of, shard = _shards(normalized), 0
        for rows in run.labelled(tiles(normalized, desc, totals.note)):
            if shard_of[rows[0]["tile_id"]] != shard:  # a change stays in the shard of its tiles
                writer.end_shard()
                shard = shard_of[rows[0]["tile_id"]]
            for row in rows:
                writer.write(row)
        journal.prune()
    about = {name: source[name] for name in ("dataset", "categories", "terms")}
    write_manifest(out, {"product": "sam_label", **about, **made_by, **made_with})
    return {**totals.metrics(), **made_by}


def _shards(normalized: Path) -> dict[str, int]:
    """The number of the shard that each tile is in."""
    paths = shard_paths(normalized, "tiles")
    ids = (pq.read_table(path, columns=["tile_id"])["tile_id"].to_pylist() for path in paths)
    return {name: number for number, names in enumerate(ids) for name in names}


def _code(recipe: Recipe, segmenter: ModuleType) -> list[str]:
    """Names of the modules that make masks; those of the axes are imported by name."""
    return ["samrs.label.label", *(m.__name__ for m in (segmenter, *recipe.parts, *recipe.ways))]


def segmenter_of(checkpoint: Checkpoint, precision: str) -> ModuleType:
    """The module of a checkpoint's segmenter; where this process is the first to need torch, it
    is held at the instructions that the precision asks for.

    Args:
        precision: as ``label`` takes it.
    """
    if checkpoint.path is not None:
        instructions.begin(precision)
    return axis.load(SEGMENTERS, checkpoint.segmenter)


class Labeller:
    """Labels single tiles, in whatever process it stands; the arguments are those of ``label``."""

    def __init__(self, *, prompt: str, checkpoint: Checkpoint, precision: str, device: str) -> None:
        self.recipe = parse_recipe(prompt)
        module = segmenter_of(checkpoint, precision)
        self.engine = module.load(checkpoint=checkpoint, precision=precision, device=device)

    def __call__(self, tile: Row, instances: list[Row], where: str) -> list[Row]:
        """The rows of the table masks of one tile, which ``where`` names in errors."""
        return list(_labelled(self.engine, self.recipe, tile, instances, where))


def executor_of(make: Callable[[], Any], runtime: Mapping[str, Any]) -> Executor:
    """The executor that ``runtime`` names, doing what ``make`` gives."""
    executor: Executor = axis.load(EXECUTORS, runtime["executor"]).load(make, runtime)
    return executor


def _labelled(
    engine: Any, recipe: Recipe, tile: Row, instances: list[Row], where: str
) -> Iterator[Row]:
    """The rows of the table masks of one tile."""
    boxes = instance_boxes(instances, (tile["height"], tile["width"]))
    fallback = recipe.fallback(boxes)
    answer = recipe.ask(View(engine, decode_rgb(tile["image"]["bytes"], where)), boxes)
    apart = answer.disagreement
    for i, instance in enumerate(instances):
        obb = boxes.obb[i] if boxes.has_obb[i] else None
        yield {
            **{name: instance[name] for name in MASKS.names if name in instance},
            "rle": answer.rles[i],
            **mask_scores(answer.rles[i], boxes.hbb[i], obb),
            "predicted_iou": _number(answer.predicted_iou[i]),
            "stability_score": _number(answer.stability_score[i]),
            "recipe": recipe.name,
            "disagreement": None if apart is None else _number(apart[i]),
            "fallback": bool(fallback[i]),
        }


class _Job(NamedTuple):
    """A tile with instances; its masks are asked for or known."""

    tile: Row
    instances: list[Row]
    key: str
    kept: list[Row] | None


class _Run:
    """Labelling one dataset."""

    def __init__(
        self,
        normalized: Path,
        executor: Executor,
        journal: Journal,
        totals: LabelLog,
        stopped: Callable[[], bool],
    ) -> None:
        self.normalized, self.executor, self.journal = normalized, executor, journal
        self.totals, self.stopped = totals, stopped
        self.unreadable: list[ImageError] = []
        self.error: BaseException | None = None

    def labelled(self, tiles: Iterator[tuple[Row, list[Row]]]) -> Iterator[list[Row]]:
        """The rows of every tile with instances, in the tiles' order.

        Once a tile is missing nothing more is given out, but what is finished is kept.
        """
        for job, wait in in_order(
            self._jobs(tiles), self._submit, self.executor.slots, self._is_over
        ):
            rows = self._rows(job, wait)
            if rows is not None and not self.unreadable and self.error is None:
                yield rows
        if self.error is not None:
            raise self.error
        if self.stopped():
            log.warning("sam-label: stopped by SIGTERM; finished tiles are kept, run it again")
            sys.exit(128 + signal.SIGTERM)
        if self.unreadable:
            said = "; ".join(str(error) for error in self.unreadable[:NAMED_FAILURES])
            raise ImageError(
                f"{self.normalized}: tiles are not labelled, got {len(self.unreadable)} unreadable "
                f"({said}); the others are finished and kept; mend these and run again"
            )

    def _jobs(self, tiles: Iterator[tuple[Row, list[Row]]]) -> Iterator[_Job]:
        for tile, instances in tiles:
            self.totals.tile(bool(instances))
            if instances:
                key = tile_key(tile, instances)
                kept = self.journal.get(key)
                self.totals.damaged = self.journal.damaged
                yield _Job(tile, instances, key, kept)

    def _submit(self, job: _Job) -> Wait[list[Row]]:
        kept = job.kept
        if kept is not None:
            return lambda: kept
        return self.executor.submit(job.tile, job.instances, where(self.normalized, job.tile))

    def _is_over(self) -> bool:
        return self.error is not None or self.stopped()

    def _rows(self, job: _Job, wait: Wait[list[Row]]) -> list[Row] | None:
        """A tile's masks, kept and counted; None where there are none."""
        try:
            rows = wait()
            if job.kept is None:
                self.journal.put(job.key, rows)
        except ImageError as error:
            self.unreadable.append(error)
            self.totals.failed(job.tile["tile_id"], error)
            return None
        except Exception as error:
            error.add_note(f"while {where(self.normalized, job.tile)} was labelled")
            self.error = self.error or error
            self.totals.failed(job.tile["tile_id"], error)
            return None
        self.totals.masks(job.tile["tile_id"], rows, kept=job.kept is not None)
        return rows


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM came since; a program that does not ask would end in the midst of a tile."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGTERM, before)


def tiles(
    normalized: Path, desc: str, note: Callable[[], str] | None = None
) -> Iterator[tuple[Row, list[Row]]]:
    """The tiles of a normalized product with their instances, in stored order.

    How far and how fast it goes is shown in boxes, so that the time left is of what there is to do.

    Args:
        desc: what the progress bar is called.
        note: what stands behind the bar, asked at every tile.

    Raises:
        ProductError: the instances do not stand in the order of their tiles.
    """
    total = read_table(normalized, "instances", ["category_id"]).num_rows
    stored = iter_rows(normalized, "tiles", batch_rows=8)
    pairs = by_tile(normalized, stored, iter_rows(normalized, "instances", batch_rows=1024))
    yield from progress(pairs, desc=desc, unit="mask", total=total, note=note, size=_boxes)


def _boxes(pair: tuple[Row, list[Row]]) -> int:
    """What a tile takes goes by its boxes; one without is not looked at."""
    return len(pair[1])


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
