"""The same instances under every recipe: what a difference in IoU looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samrs.core.geometry import hbb_to_polygon
from samrs.drawing.crops import Cell, load_cells
from samrs.drawing.html import jpeg_uri
from samrs.drawing.overlay import Image, draw_polygon, resize
from samrs.measures.groups import BINS, SMALL, in_bin

COUNT = 12
SIDE = 136
"""px of a picture's longer side."""

QUALITY = 78
FILL = 0.28
"""Share of the colour in a filled mask."""

BOX, TRUE, PREDICTED = (255, 213, 74), (53, 224, 111), (255, 61, 139)
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
    shown: dict[tuple[str, str], list[Cell]] = {
        (tile, name): []
        for tile, name in zip(picked["tile_id"], picked["instance_id"], strict=True)
    }
    for cell in load_cells(product, rows):
        shown[cell.row["tile_id"], cell.row["instance_id"]].append(cell)
    return [_entry(cells) for cells in shown.values()]


def _entry(cells: list[Cell]) -> dict[str, Any]:
    first = cells[0].row
    best = max((c.row["iou"] for c in cells if c.row["kind"] == "recipe"), default=None)
    return {
        **{name: first[name] for name in ("tile_id", "instance_id", "category", "bin")},
        "true_area": int(first["true_area"]),
        "picture": jpeg_uri(draw(cells[0], predicted=False), QUALITY),
        "masks": [
            {
                "recipe": cell.row["recipe"],
                "floor": cell.row["kind"] == "floor",
                "iou": float(cell.row["iou"]),
                "best": cell.row["kind"] == "recipe" and cell.row["iou"] == best,
                "picture": jpeg_uri(draw(cell, predicted=True), QUALITY),
            }
            for cell in cells
        ],
    }


def draw(cell: Cell, *, predicted: bool) -> Image:
    """A picture of a cell, SIDE px on its longer side.

    Args:
        predicted: with the predicted mask filled; else the box and the true mask alone.
    """
    height, width = cell.truth.shape
    scale = SIDE / max(height, width)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.ascontiguousarray(resize(cell.image, size_wh))
    if predicted:
        mask = _resized(cell.predicted, size_wh)
        tint = FILL * np.array(PREDICTED, dtype=np.float64)
        picture[mask] = (picture[mask] * (1 - FILL) + tint).astype(np.uint8)
        _outline(picture, mask, PREDICTED, 2)
    else:
        corners = hbb_to_polygon(cell.hbb) * [size_wh[0] / width, size_wh[1] / height]
        draw_polygon(picture, corners, BOX)
    _outline(picture, _resized(cell.truth, size_wh), TRUE, 1)
    return picture


def _resized(mask: NDArray[np.bool_], size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    grown = cv2.resize(mask.astype(np.uint8), size_wh, interpolation=cv2.INTER_NEAREST)
    return np.asarray(grown, dtype=bool)


def _outline(
    picture: Image, mask: NDArray[np.bool_], rgb: tuple[int, int, int], width: int
) -> None:
    lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, lines, -1, rgb, width)
