"""Labels to a released dataset: thresholds on the masks' scores, semantic maps by an overlap rule.

Works tile by tile in bounded memory. Nothing is dropped in silence: each dropped instance counts
under the first reason of DROP_REASONS that applies, in the metrics and in the manifest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from samrs.core.errors import ParameterError, ProductError
from samrs.core.images import encode_labels
from samrs.core.progress import progress
from samrs.core.records import IGNORE, MASKS, RELEASED, SEMANTIC
from samrs.core.shards import (
    ShardWriter,
    by_tile,
    fresh_product,
    iter_rows,
    read_manifest,
    shard_paths,
    write_manifest,
)
from samrs.overlap import SemanticMap, check_rule, paint
from samrs.palette import palette

Row = dict[str, Any]

DROP_REASONS = (
    "empty_mask",
    "difficult",
    "min_area",
    "min_predicted_iou",
    "min_stability",
    "max_outside",
)
COUNTS = (
    "tiles",
    "tiles_empty",
    "instances",
    "kept",
    "pixels",
    "labelled_pixels",
    "overpainted_pixels",
    "contested_pixels",
)
MASK_COLUMNS = [f.name for f in MASKS if f.name not in ("category_id", "category")]
PROVENANCE = ("recipe", "segmenter", "model", "model_sha256", "precision")
"""What the labels' manifest says of how they were made: passed on."""


@dataclass(frozen=True)
class Thresholds:
    """What a mask must be to be released; the fields are those of ``release``."""

    min_area: int
    min_predicted_iou: float
    min_stability: float
    max_outside: float
    keep_difficult: bool

    def __post_init__(self) -> None:
        if self.min_area < 0:
            raise ParameterError(
                f"release.min_area: out of range, got {self.min_area}; 0 px or more is allowed; "
                "raise it"
            )
        for name in ("min_predicted_iou", "min_stability", "max_outside"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(
                    f"release.{name}: out of range, got {getattr(self, name)}; 0 to 1 is allowed; "
                    "correct it"
                )

    def drop_reason(self, row: Row) -> str | None:
        """The first of DROP_REASONS that applies, or None for a row to keep.

        A score that is null or NaN (the segmenter has none) fails no threshold.
        """
        failed = (
            row["area"] == 0,
            row["difficult"] and not self.keep_difficult,
            row["area"] < self.min_area,
            _is_below(row["predicted_iou"], self.min_predicted_iou),
            _is_below(row["stability_score"], self.min_stability),
            _is_below(self.max_outside, row["outside"]),
        )
        return next((name for name, f in zip(DROP_REASONS, failed, strict=True) if f), None)


def _is_below(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and a < b


def _joined(normalized: Path, labelled: Path) -> Iterator[Row]:
    """Instances with their masks; both tables hold the same instances in the same order."""
    instances = iter_rows(normalized, "instances", batch_rows=1024)
    masks = iter_rows(labelled, "masks", MASK_COLUMNS, batch_rows=1024)
    for pair in zip_longest(instances, masks):
        wanted, got = ((r["instance_id"], r["tile_id"]) if r else None for r in pair)
        if wanted != got:
            raise ProductError(
                f"{labelled}: masks do not belong to the instances of {normalized}, got {got} "
                f"where {wanted} stands; one mask per instance in the same order is allowed; "
                "run sam-label again"
            )
        yield {**pair[0], **pair[1]}


def _paint(tile: Row, rows: list[Row], rule: str, where: Path) -> SemanticMap:
    size_hw = (tile["height"], tile["width"])
    for row in rows:
        if tuple(row["rle"]["size"]) != size_hw:
            raise ProductError(
                f"{where}: mask of {row['instance_id']!r} does not fit its tile, got size "
                f"{row['rle']['size']}; {list(size_hw)} is allowed; run sam-label again"
            )
    return paint([r["rle"] for r in rows], [r["category_id"] for r in rows], size_hw, rule)


def _write(
    normalized: Path, labelled: Path, out: Path, thresholds: Thresholds, overlap: str
) -> dict[str, Any]:
    """Write the three tables; returns the counts."""
    counts = dict.fromkeys(COUNTS, 0)
    dropped = dict.fromkeys(DROP_REASONS, 0)
    for path in shard_paths(normalized, "tiles"):
        shutil.copyfile(path, out / path.name)
    with (
        ShardWriter(out, "instances", RELEASED) as instances,
        ShardWriter(out, "semantic", SEMANTIC) as semantic,
    ):
        tiles = iter_rows(normalized, "tiles", ["tile_id", "split", "width", "height"])
        joined = by_tile(normalized, tiles, _joined(normalized, labelled))
        for tile, rows in progress(joined, desc=f"release {out.name}", unit="tile"):
            kept = []
            for row in rows:
                reason = thresholds.drop_reason(row)
                if reason is None:
                    instances.write(row)
                    kept.append(row)
                else:
                    dropped[reason] += 1
            map_ = _paint(tile, kept, overlap, labelled)
            image = {"bytes": encode_labels(map_.labels), "path": f"{tile['tile_id']}.png"}
            semantic.write({"tile_id": tile["tile_id"], "split": tile["split"], "label_map": image})
            counts["tiles"] += 1
            counts["tiles_empty"] += not kept
            counts["instances"] += len(rows)
            counts["kept"] += len(kept)
            counts["pixels"] += map_.labels.size
            counts["labelled_pixels"] += int((map_.labels != IGNORE).sum())
            counts["overpainted_pixels"] += map_.overpainted
            counts["contested_pixels"] += map_.contested
    return {**counts, "dropped": dropped}


def release(
    normalized: Path,
    labelled: Path,
    out: Path,
    *,
    min_area: int,
    min_predicted_iou: float,
    min_stability: float,
    max_outside: float,
    keep_difficult: bool,
    overlap: str,
) -> dict[str, Any]:
    """Write one subset: tiles (normalize's own bytes), kept instances, semantic maps, manifest.

    Label ids follow the dataset's order of categories; tiles without a kept mask are all 255 and
    stay, as negatives.

    Args:
        normalized: the dataset's normalize product.
        labelled: its sam_label product.
        out: the release product; replaced.
        min_area: smallest mask kept, px. Empty masks are dropped whatever this says.
        min_predicted_iou: lowest predicted IoU kept, 0-1. Masks without that score pass.
        min_stability: lowest stability score kept, 0-1. Masks without that score pass.
        max_outside: largest share of a mask's px outside its box kept, 0-1.
        keep_difficult: whether instances annotated as difficult are kept.
        overlap: which mask is on top in semantic maps, one of ``samrs.overlap.RULES``.

    Returns:
        Numbers of tiles, instances and px (see ``SemanticMap``), dropped instances by reason.

    Raises:
        ParameterError: a threshold is out of range or the overlap rule unknown.
        ProductError: the masks are not those of these instances and tiles.
    """
    thresholds = Thresholds(min_area, min_predicted_iou, min_stability, max_outside, keep_difficult)
    check_rule(overlap)
    source, labels = read_manifest(normalized), read_manifest(labelled)
    categories = source["categories"]
    if len(categories) > IGNORE:
        raise ProductError(
            f"{normalized}: too many categories for 8-bit label maps, got {len(categories)}; "
            f"{IGNORE} are allowed; merge categories in the dataset"
        )
    counts = _write(normalized, labelled, fresh_product(out), thresholds, overlap)
    about = {
        "product": "release",
        "subset": source["subset"] or source["dataset"].upper(),
        "dataset": source["dataset"],
        "terms": source["terms"],
        "categories": categories,
        "palette": palette(len(categories)),
        "parameters": {**asdict(thresholds), "overlap": overlap},
        **{key: labels[key] for key in PROVENANCE if key in labels},
        "counts": counts,
    }
    write_manifest(out, about)
    return counts
