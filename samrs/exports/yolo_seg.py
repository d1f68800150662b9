"""Ultralytics' YOLO segmentation format: a polygon a line (docs.ultralytics.com/datasets/segment).

Layout::

    data.yaml                        splits and class names
    images/train/P0000__0_0.png
    labels/train/P0000__0_0.txt      empty for a tile without instances

A line is a class number and the corners of one polygon as shares of the image's width and height::

    4 0.036133 0.141 0.040039 0.141 0.040039 0.143 ...

The polygon follows the edges of the pixels. The format has one polygon an instance: further parts
and holes are joined to it by bridges walked there and back, which enclose nothing, so that nothing
is lost (keeping the largest part would lose the others). How much is lost is measured on what was
written: each line is read back, painted by pycocotools and compared with the mask.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.exporting import Row, Subset
from samrs.core.outlines import join_rings, rle_rings
from samrs.core.rle import polygons_to_rle, rle_iou
from samrs.core.yolo_layout import shares, write_tile, write_yaml

POOR = 0.9
"""IoU under which an instance counts as spoilt."""


def write(subset: Subset, out: Path) -> dict[str, Any]:
    """Write the export; returns images and instances, and the IoU of what was written."""
    images = joined = 0
    ious = array("d")
    for tile in subset.tiles(["rle"]):
        xs, ys = shares(tile.size_wh[0]), shares(tile.size_wh[1])
        lines = []
        for row in tile.rows:
            rings = rle_rings(row["rle"])
            if not rings:
                continue  # an empty mask has no outline
            joined += len(rings) > 1
            corners = (f"{xs[x]} {ys[y]}" for x, y in join_rings(rings))
            lines.append(f"{row['label']} {' '.join(corners)}")
            ious.append(_iou(lines[-1], row, tile.size_wh))
        write_tile(tile, lines, out)
        images += 1
    write_yaml(subset, out)
    return {"images": images, "instances": len(ious), "joined": joined, **_quality(ious)}


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
