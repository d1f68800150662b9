"""The same instances under every recipe: what a difference in IoU looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samrs.drawing.crops import Crop, draw_crop, load_crops
from samrs.drawing.html import jpeg_uri
from samrs.measures.groups import BINS, SMALL, in_bin

COUNT = 12
SIDE = 136
"""px of a picture's longer side."""

QUALITY = 78
FILL = 0.28
"""Share of the colour in a filled mask."""

SHOWN_BINS = tuple(name for name in BINS if name != SMALL)


def pick_instances(frame: pd.DataFrame, count: int = COUNT) -> pd.DataFrame:
    """Instances spread over the size bins and, within one, over how well recipes do on them.

    The bins are filled in turn, from the smallest, until there are ``count`` or no more. In a bin
    the instances are ranked by their mean IoU over all recipes and taken from the middle of
    equal parts, so that easy, usual and hard ones are among them. Equal frames, equal instances.

    Returns:
        ``tile_id, instance_id, bin``, from the smallest bin on and from hard to easy.
    """
    asked = frame[frame["kind"] == "recipe"] if (frame["kind"] == "recipe").any() else frame
    means = (
        asked.groupby(["tile_id", "instance_id"])
        .agg(iou=("iou", "mean"), true_area=("true_area", "first"))
        .reset_index()
        .sort_values(["iou", "tile_id", "instance_id"], kind="stable")
    )
    area = means["true_area"].to_numpy()
    members = {name: means[in_bin(area, name)] for name in SHOWN_BINS}
    quota = dict.fromkeys(SHOWN_BINS, 0)
    while sum(quota.values()) < min(count, len(means)):
        open_bins = [name for name in SHOWN_BINS if quota[name] < len(members[name])]
        quota[min(open_bins, key=lambda name: quota[name])] += 1
    parts = []
    for name, part in members.items():
        places = ((np.arange(quota[name]) + 0.5) / max(quota[name], 1) * len(part)).astype(int)
        parts.append(part.iloc[places].assign(bin=name))
    return pd.concat(parts)[["tile_id", "instance_id", "bin"]].reset_index(drop=True)


def side_by_side(product: Path, frame: pd.DataFrame, count: int = COUNT) -> list[dict[str, Any]]:
    """Some instances with their masks under every recipe and floor, as inline pictures.

    Args:
        product: the normalized product that was measured.
        frame: as ``samrs.ablation.ablation.ablate`` returns it.

    Returns:
        One entry an instance: ``tile_id, instance_id, category, bin, true_area``, ``picture`` (the
        box and the true mask) and ``masks``, in the frame's order: ``recipe, floor, iou``, whether
        it is the ``best`` recipe of the instance, and ``picture``. Pictures are data URIs.
    """
    picked = pick_instances(frame, count)
    rows = picked.merge(frame, on=["tile_id", "instance_id"], how="left", sort=False)
    shown: dict[tuple[str, str], list[Crop]] = {
        (tile, name): []
        for tile, name in zip(picked["tile_id"], picked["instance_id"], strict=True)
    }
    for crop in load_crops(product, rows):
        shown[crop.row["tile_id"], crop.row["instance_id"]].append(crop)
    return [_entry(crops) for crops in shown.values()]


def _entry(crops: list[Crop]) -> dict[str, Any]:
    first = crops[0].row
    best = max((c.row["iou"] for c in crops if c.row["kind"] == "recipe"), default=None)
    return {
        **{name: first[name] for name in ("tile_id", "instance_id", "category", "bin")},
        "true_area": int(first["true_area"]),
        "picture": jpeg_uri(draw_crop(crops[0], SIDE, box=True, predicted=False), QUALITY),
        "masks": [
            {
                "recipe": crop.row["recipe"],
                "floor": crop.row["kind"] == "floor",
                "iou": float(crop.row["iou"]),
                "best": crop.row["kind"] == "recipe" and crop.row["iou"] == best,
                "picture": jpeg_uri(
                    draw_crop(crop, SIDE, box=False, predicted=True, fill=FILL), QUALITY
                ),
            }
            for crop in crops
        ],
    }
