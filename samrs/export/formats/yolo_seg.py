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
part that is smaller than the bridge to it is left out (``parts_left_out``).

What is lost is measured on what was written: each line is read back, painted by pycocotools
(``iou``) and as Ultralytics does at the tile's own size (``opencv_iou``), and compared with the
mask.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from samrs.core.geometry import Array
from samrs.core.rle import Rle, polygons_to_rle, rle_iou, rle_to_crop, rle_to_hbb
from samrs.export.outlines import Ring, bridged, join_rings, rings_by_part
from samrs.export.subset import Subset
from samrs.export.yolo_layout import share, write_tile, write_yaml

INSET = 0.05
"""px; more than six decimals round away, and little enough not to move the box."""

POOR = 0.9
"""IoU under which an instance counts as spoilt."""


def write(subset: Subset, out: Path) -> dict[str, Any]:
    """Write the export; returns images and instances, and the IoU of what was written."""
    images = left_out = 0
    ious, opencv_ious = array("d"), array("d")
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
            points = read_line(lines[-1], tile.size_wh)
            ious.append(pycocotools_iou(points, row["rle"]))
            opencv_ious.append(opencv_iou(points, row["rle"]))
        write_tile(tile, lines, out)
        images += 1
    write_yaml(subset, out)
    return {
        "images": images,
        "instances": len(ious),
        "parts_left_out": left_out,
        "iou": _quality(ious),
        "opencv_iou": _quality(opencv_ious),
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


def read_line(line: str, size_wh: tuple[int, int]) -> Array:
    """Corners (K, 2) xy in px of a line of text."""
    return np.array(line.split()[1:], dtype=np.float64).reshape(-1, 2) * size_wh


def pycocotools_iou(points: Array, rle: Rle) -> float:
    """IoU of a mask with a polygon (K, 2) as pycocotools paints it."""
    return float(rle_iou([polygons_to_rle([points], rle["size"])], [rle])[0, 0])


def opencv_iou(points: Array, rle: Rle) -> float:
    """IoU of a mask with a polygon (K, 2) as Ultralytics paints it (``polygon2mask``).

    The polygon must not leave the mask's box.
    """
    x0, y0, x1, y1 = (int(v) for v in rle_to_hbb(rle))
    mask = rle_to_crop(rle, x0, y0, x1 - x0, y1 - y0)
    corners = points.astype(np.float32).astype(np.int32) - np.array([x0, y0], dtype=np.int32)
    painted = cv2.fillPoly(np.zeros(mask.shape, dtype=np.uint8), [corners], (1,)) > 0
    return float((mask & painted).sum() / (mask | painted).sum())


def _quality(ious: array[float]) -> dict[str, float | None]:
    if not len(ious):
        return {"mean": None, "p5": None, f"below_{POOR}": None}
    values = np.array(ious)
    return {
        "mean": round(float(values.mean()), 6),
        "p5": round(float(np.quantile(values, 0.05)), 6),
        f"below_{POOR}": round(float((values < POOR).mean()), 6),
    }
