"""Small normalize and sam_label products written by hand, for the steps that come after them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.geometry import hbb_area, hbb_to_polygon
from samrs.core.images import encode_rgb
from samrs.core.parameters import grouped
from samrs.core.records import INSTANCES, MASKS, TILES
from samrs.core.rle import hbb_to_rle, rle_area, rle_to_hbb
from samrs.core.shards import write_manifest, write_table
from samrs.release import release as of_product

QUALITY = Path(__file__).parents[1] / "samrs" / "models" / "quality.json"
CATEGORIES = ["plane", "ship", "harbor"]
OPEN: dict[str, Any] = {
    "margin": None,
    "max_hole": 0.0,
    "min_part": 0.0,
    "core": 0.0,
    "min_area": 0,
    "min_predicted_iou": 0.0,
    "min_stability": 0.0,
    "max_outside": 1.0,
    "min_box_iou": 0.0,
    "min_obb_iou": 0.0,
    "max_parts": None,
    "min_quality": 0.0,
    "keep_difficult": True,
    "overrides": {},
    "overlap": "smaller_on_top",
    "background": "none",
}
"""Parameters of a release that changes no mask and keeps all."""


def release(
    normalized: Path,
    labelled: Path,
    out: Path,
    quality: Path,
    corrections: Path | None = None,
    **values: Any,
) -> Any:
    """Release with the values of params.yaml's section, as the stage does; returns its metrics."""
    return of_product.release(normalized, labelled, out, quality, corrections,
                              **grouped(of_product.release, values))  # fmt: skip


@dataclass
class Thing:
    """An instance whose mask is a filled box (xyxy), with scores that may be overridden.

    ``box`` and ``obb`` are as annotated; without them they are those of the mask.
    """

    tile: str
    category: str
    mask: tuple[int, int, int, int]
    name: str = ""
    difficult: bool = False
    scores: dict[str, Any] = field(default_factory=dict)
    box: tuple[float, float, float, float] | None = None
    obb: list[float] | None = None


def _image(tile: str, side: int) -> dict[str, Any]:
    noise = np.random.default_rng(len(tile)).integers(60, 160, (side, side, 3), dtype=np.uint8)
    return {"bytes": encode_rgb(noise), "path": f"{tile}.png"}


def _instance(thing: Thing, name: str, side: int) -> dict[str, Any]:
    box = [float(v) for v in thing.box or thing.mask]
    seen = [min(max(v, 0.0), float(side)) for v in box]
    return {
        "instance_id": name,
        "tile_id": thing.tile,
        "category_id": CATEGORIES.index(thing.category),
        "category": thing.category,
        "hbb": seen,
        "hbb_annotated": box,
        "obb": thing.obb or [float(v) for v in hbb_to_polygon(box).ravel()],
        "difficult": thing.difficult,
        "visible": hbb_area(seen) / hbb_area(box) if hbb_area(box) else 1.0,
        "source_file": "labels/a.txt",
        "source_line": 1,
    }


def _mask(thing: Thing, name: str, side: int) -> dict[str, Any]:
    rle = hbb_to_rle(thing.mask, (side, side))
    return {
        "instance_id": name,
        "tile_id": thing.tile,
        "category_id": CATEGORIES.index(thing.category),
        "category": thing.category,
        "rle": rle,
        "area": rle_area(rle),
        "mask_hbb": [float(v) for v in rle_to_hbb(rle)],
        "predicted_iou": 0.9,
        "stability_score": 0.95,
        "box_iou": 1.0 if hbb_area(thing.mask) else 0.0,
        "obb_iou": 1.0,
        "outside": 0.0,
        "components": 1,
        "recipe": "hbox",
        "fallback": False,
        **thing.scores,
    }


def write(
    root: Path, tiles: list[str], things: list[Thing], *, side: int = 64, subset: str = "SOTA"
) -> tuple[Path, Path]:
    """Write both products below ``root``; things stand in the order of their tiles."""
    normalized, labelled = root / "normalize" / "dota", root / "sam_label" / "dota"
    rows = [
        {
            "tile_id": tile,
            "scene_id": tile.split("__")[0],
            "split": "train",
            "x0": int(tile.split("_")[-2]),
            "y0": int(tile.split("_")[-1]),
            "width": side,
            "height": side,
            "gsd": None,
            "image": _image(tile, side),
        }
        for tile in tiles
    ]
    names = [t.name or f"{t.tile.split('__')[0]}#{k}" for k, t in enumerate(things)]
    write_table(normalized, "tiles", TILES, rows)
    write_table(normalized, "instances", INSTANCES, map(_instance, things, names, repeat(side)))
    masks = [_mask(thing, name, side) for thing, name in zip(things, names, strict=True)]
    write_table(labelled, "masks", MASKS, masks)
    about = {"dataset": "dota", "categories": CATEGORIES, "terms": "academic use only"}
    read_as = {"format": "dota", "origin": "demo", "subset": subset, "parameters": {}}
    write_manifest(normalized, {"product": "normalize", **read_as, **about})
    made_by = {"recipe": "hbox", "segmenter": "sam", "model": "nano", "model_sha256": "00ff"}
    write_manifest(labelled, {"product": "sam_label", **about, **made_by})
    return normalized, labelled
