"""Ultralytics' YOLO segmentation format: a polygon a line (docs.ultralytics.com/datasets/segment).

Layout::

    data.yaml                        splits and class names
    images/train/P0000__0_0.png
    labels/train/P0000__0_0.txt      empty for a tile without instances

A line is a class number and the corners of one polygon as shares of the image's width and height::

    4 0.036182 0.14105 0.04001 0.14105 0.04001 0.14295 ...

The polygon follows the edges of the pixels, 0.05 px inside: painted by pycocotools it is the mask,
and Ultralytics, which cuts to whole px and paints the outline too (``cv2.fillPoly``), gets no row
of px too many where it trains at the tiles' own size.

The format has one polygon an instance: further parts and holes are joined to it by bridges walked
there and back, which enclose nothing. Ultralytics paints bridges all the same, one px wide, so a
part that is smaller than the bridge to it is left out (``parts_left_out``). What is lost is
measured on what was written: each line is read back, painted by pycocotools and compared with the
mask.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.exporting import Row, Subset
from samrs.core.outlines import Ring, bridged, join_rings, rings_by_part
from samrs.core.rle import Rle, polygons_to_rle, rle_iou
from samrs.core.yolo_layout import share, write_tile, write_yaml

INSET = 0.05
"""px; more than six decimals round away, and little enough not to move the box."""

POOR = 0.9
"""IoU under which an instance counts as spoilt."""


def write(subset: Subset, out: Path) -> dict[str, Any]:
    """Write the export; returns images and instances, and the IoU of what was written."""
    images = left_out = 0
    ious = array("d")
    for tile in subset.tiles(["rle"]):
        width, height = tile.size_wh
        lines = []
        for row in tile.rows:
            ring, not_joined = outline(row["rle"])
            left_out += not_joined
            if not ring:
                continue  # an empty mask has no outline
            corners = (f"{share(x, width)} {share(y, height)}" for x, y in ring)
            lines.append(f"{row['label']} {' '.join(corners)}")
            ious.append(_iou(lines[-1], row, tile.size_wh))
        write_tile(tile, lines, out)
        images += 1
    write_yaml(subset, out)
    return {
        "images": images,
        "instances": len(ious),
        "parts_left_out": left_out,
        **_quality(ious),
    }


def outline(rle: Rle) -> tuple[Ring, int]:
    """The polygon of a mask, corners xy in px, and how many of its parts were left out."""
    joined: Ring = []
    left_out = 0
    for area, rings in rings_by_part(rle, INSET):
        ring = join_rings(rings)
        if not joined:
            joined = ring
            continue
        both, bridge = bridged(joined, ring)
        if bridge > area:
            left_out += 1
        else:
            joined = both
    return joined, left_out


def _iou(line: str, row: Row, size_wh: tuple[int, int]) -> float:
    """IoU of a mask with what a line of text says of it."""
    points = np.array(line.split()[1:], dtype=np.float64).reshape(-1, 2) * size_wh
    return float(rle_iou([polygons_to_rle([points], size_wh[::-1])], [row["rle"]])[0, 0])


def _quality(ious: array[float]) -> dict[str, float | None]:
    if not len(ious):
        return {"iou_mean": None, "iou_p5": None, f"iou_below_{POOR}": None}
    values = np.array(ious)
    return {
        "iou_mean": round(float(values.mean()), 6),
        "iou_p5": round(float(np.quantile(values, 0.05)), 6),
        f"iou_below_{POOR}": round(float((values < POOR).mean()), 6),
    }
