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

``--simplify PX`` leaves out corners that lie within so many px of the line between those beside
them (Douglas and Peucker's way): fewer points (``points``) for less IoU.

What is lost is measured on what was written: each line is read back, painted by pycocotools
(``iou``) and as Ultralytics does at the tile's own size (``opencv_iou``), and compared with the
mask. Ultralytics trains on masks of a quarter of the side of a picture of 640 px, and an instance
that covers no cell of such a mask is trained as a box only: ``without_mask_target`` counts them, by
``imgsz`` and ``mask_ratio``, without augmentation. For small objects train at the tiles' size
(``imgsz=1024 mask_ratio=1`` for tiles of 1024 px), where none vanishes.
"""

from __future__ import annotations

import math
from array import array
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from samrs.core.errors import ParameterError
from samrs.core.geometry import Array
from samrs.core.rle import Rle, polygons_to_rle, rle_iou, rle_to_crop, rle_to_hbb
from samrs.export.outlines import Ring, bridged, join_rings, rings_by_part
from samrs.export.subset import Subset
from samrs.export.yolo_layout import share, write_tile, write_yaml

LEVELS = "tile", "scene"

INSET = 0.05
"""px; more than six decimals round away, and little enough not to move the box."""

ULTRALYTICS = 640, 4
"""Its defaults: side of a picture in training, px, and that side over the side of its masks."""

POOR = 0.9
"""IoU under which an instance counts as spoilt."""


class _Measures:
    """What the lines that were written lose, and what they hold."""

    def __init__(self) -> None:
        self.ious, self.opencv_ious, self.points = array("d"), array("d"), array("q")
        self.vanished: dict[str, int] = {}

    def add(self, line: str, rle: Rle, size_wh: tuple[int, int]) -> None:
        points = read_line(line, size_wh)
        self.points.append(len(points))
        self.ious.append(pycocotools_iou(points, rle))
        self.opencv_ious.append(opencv_iou(points, rle))
        side, ratio = ULTRALYTICS
        for name, scale, cells in (
            (f"imgsz={side} mask_ratio={ratio}", side / max(size_wh), ratio),
            (f"imgsz=tile mask_ratio={ratio}", 1.0, ratio),
            ("imgsz=tile mask_ratio=1", 1.0, 1),
        ):
            vanished = not has_mask_target(points * scale, cells)
            self.vanished[name] = self.vanished.get(name, 0) + vanished

    def summary(self) -> dict[str, Any]:
        median = int(np.median(self.points)) if self.points else None
        return {
            "instances": len(self.ious),
            "points": {"median": median, "most": max(self.points, default=None)},
            "iou": _quality(self.ious),
            "opencv_iou": _quality(self.opencv_ious),
            "without_mask_target": self.vanished,
        }


def write(subset: Subset, out: Path, *, simplify: float = 0.0) -> dict[str, Any]:
    """Write the export; returns images, instances, points of their outlines, and what was lost.

    Args:
        simplify: how far a corner that is left out may lie off the outline, px.

    Raises:
        ParameterError: ``simplify`` is no such number.
    """
    if not (isinstance(simplify, int | float) and 0 <= simplify < math.inf):
        raise ParameterError(
            f"yolo_seg: simplify is no distance, got {simplify!r}; a number of px from 0 is "
            "allowed; correct it"
        )
    images = left_out = 0
    measures = _Measures()
    for tile in subset.tiles(["rle"]):
        width, height = tile.size_wh
        lines = []
        for row in tile.rows:
            ring, not_joined = outline(row["rle"], simplify)
            left_out += not_joined
            if not ring:
                continue  # an empty mask has no outline
            corners = (f"{share(x, width)} {share(y, height)}" for x, y in ring)
            lines.append(f"{row['label']} {' '.join(corners)}")
            measures.add(lines[-1], row["rle"], tile.size_wh)
        write_tile(tile, lines, out)
        images += 1
    write_yaml(subset, out)
    return {"images": images, "parts_left_out": left_out, **measures.summary()}


def outline(rle: Rle, simplify: float = 0.0) -> tuple[Ring, int]:
    """The polygon of a mask, corners xy in px, and how many of its parts were left out.

    Args:
        simplify: how far a corner that is left out may lie off the outline, px.
    """
    joined: Ring = []
    left_out = 0
    for area, rings in rings_by_part(rle, INSET):
        ring = join_rings([simplified(ring, simplify) for ring in rings])
        if not joined:
            joined = ring
            continue
        both, bridge = bridged(joined, ring)
        if bridge > area:
            left_out += 1
        else:
            joined = both
    return joined, left_out


def simplified(ring: Ring, most: float) -> Ring:
    """A closed outline with fewer corners, or itself where fewer than three would be left.

    Args:
        ring: corners xy in px.
        most: how far a corner that is left out may lie off the outline, px.
    """
    if not most:
        return ring
    kept = cv2.approxPolyDP(np.array(ring, dtype=np.float32), most, True)[:, 0]
    return list(zip(*kept.astype(np.float64).T.tolist(), strict=True)) if len(kept) > 2 else ring


def read_line(line: str, size_wh: tuple[int, int]) -> Array:
    """Corners (K, 2) xy in px of a line of text."""
    return np.array(line.split()[1:], dtype=np.float64).reshape(-1, 2) * size_wh


def pycocotools_iou(points: Array, rle: Rle) -> float:
    """IoU of a mask with a polygon (K, 2) as pycocotools paints it."""
    return float(rle_iou([polygons_to_rle([points], rle["size"])], [rle])[0, 0])


def has_mask_target(points: Array, ratio: int) -> bool:
    """Whether a polygon (K, 2) leaves anything in the mask that Ultralytics trains on.

    It is cut to whole px, painted and made smaller, as by ``polygon2mask``.

    Args:
        points: corners xy in px of the picture as it is trained on.
        ratio: side of that picture over the side of its masks.
    """
    corners = points.astype(np.float32).astype(np.int32)
    corners -= corners.min(axis=0) // ratio * ratio
    width, height = corners.max(axis=0) // ratio + 1
    painted = cv2.fillPoly(np.zeros((height * ratio, width * ratio), np.uint8), [corners], (1,))
    return bool(cv2.resize(painted, (int(width), int(height))).any())


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
