"""Scores of a mask against the boxes it was made from: no truth, no model needed."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from samrs.core.geometry import hbb_iou
from samrs.core.rle import (
    Rle,
    hbb_to_rle,
    polygons_to_rle,
    rle_area,
    rle_intersection,
    rle_iou,
    rle_to_crop,
    rle_to_hbb,
    rle_to_mask,
)

NARROW = 4
"""Masks under 1 / NARROW of the tile's width are decoded alone: dearer than a whole one beyond."""


def mask_scores(rle: Rle, hbb: ArrayLike, obb: ArrayLike | None) -> dict[str, Any]:
    """The score columns of MASKS (``core/records.py``) that follow from the mask.

    Args:
        hbb: (4,) xyxy, clipped to the tile.
        obb: (4, 2) xy corners, or None.

    Returns:
        ``area`` px; ``mask_hbb`` xyxy; ``box_iou``, ``outside`` and ``obb_iou`` in [0, 1], the last
        None without obb; ``components``. An empty mask scores 0 everywhere.
    """
    area = rle_area(rle)
    mask_hbb = rle_to_hbb(rle)
    inside = rle_intersection(rle, hbb_to_rle(hbb, rle["size"]))
    return {
        "area": area,
        "mask_hbb": mask_hbb.tolist(),
        "box_iou": round(float(hbb_iou(mask_hbb, hbb)[0, 0]), 6),
        "obb_iou": None
        if obb is None
        else round(float(rle_iou([rle], [polygons_to_rle([obb], rle["size"])])[0, 0]), 6),
        "outside": round(1 - inside / area, 6) if area else 0.0,
        "components": count_components(rle),
    }


def count_components(rle: Rle) -> int:
    """Number of 8-connected parts of a mask."""
    x0, y0, x1, y1 = (int(v) for v in rle_to_hbb(rle))
    if x1 <= x0:
        return 0
    if (x1 - x0) * NARROW < rle["size"][1]:
        crop = rle_to_crop(rle, x0, y0, x1 - x0, y1 - y0)
    else:
        crop = rle_to_mask(rle)[y0:y1, x0:x1]
    return int(cv2.connectedComponents(crop.astype(np.uint8), connectivity=8)[0]) - 1
