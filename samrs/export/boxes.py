"""Which box of an instance an export has: the annotated one, or that of its mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from samrs.core.geometry import Array, clip_hbb, hbb_to_polygon

BOXES = ("annotated", "mask")
"""What the main box of an instance may be."""
COLUMNS = ("hbb", "hbb_annotated", "obb", "mask_hbb", "area")
"""Of a released row, what boxes are made of."""

Row = dict[str, Any]


def upright(row: Row, boxes: str, size_wh: tuple[int, int]) -> list[float]:
    """The upright box xyxy in tile px; the annotated one is cut to the tile.

    Args:
        row: with COLUMNS.
        boxes: one of BOXES.
        size_wh: of the tile.
    """
    if boxes == "mask":
        return [float(v) for v in row["mask_hbb"]]
    return [float(v) for v in clip_hbb(row["hbb"], size_wh)]


def rotated(row: Row, boxes: str) -> Array:
    """The corners (4, 2) xy of the rotated box: annotated, or of least area around the mask.

    Args:
        row: with COLUMNS and its rle; without a rotated box the upright one, as annotated, serves.
        boxes: one of BOXES.
    """
    if boxes == "mask":
        from samrs.export.outlines import rle_to_obb  # OpenCV, for formats that draw

        return rle_to_obb(row["rle"])
    if row["obb"] is None:
        return hbb_to_polygon(row["hbb_annotated"])
    return np.reshape(row["obb"], (4, 2))


def xywh(box: list[float]) -> list[float]:
    """A box xyxy as COCO has it."""
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]
