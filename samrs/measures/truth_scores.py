"""Scores of a mask against its true mask: areas, outline, pixels.

**boundary_f** is the F-score of outlines of Csurka et al. ("What is a good evaluation measure for
semantic segmentation?", BMVC 2013), also DAVIS's F (Perazzi et al., CVPR 2016): the harmonic mean
of the share of one outline's pixels that lie within a tolerance of the other outline, both ways.

The tolerance is 2 % of the diagonal of the true mask's box, and at least 1 px. Two per cent is the
width of Boundary IoU (Cheng et al., CVPR 2021). DAVIS (0.8 %) and Boundary IoU take it of the
image's diagonal; for a tile of 1024 px that is 12 or 29 px, more than most instances in aerial
images are wide, and every mask would be right. Taken of the instance it asks the same of a
ship of 20 px and of a harbour of 500. Below 1 px it would ask for more than annotators agree on.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.rle import Rle, rle_area, rle_intersection, rle_to_crop, rle_to_hbb

TOLERANCE = 0.02
"""Share of the diagonal of the true mask's box that an outline may be off."""

LEAST_TOLERANCE = 1.0
"""px."""

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)
_ROUNDING = 1e-4
"""px; distances are single precision."""


def truth_scores(rle: Rle, truth: Rle) -> dict[str, Any]:
    """Compare a mask with a true mask that has at least one pixel.

    Args:
        truth: of the mask's size.

    Returns:
        ``iou``; ``intersection``, ``union`` and ``true_area`` in px; ``precision`` (share of the
        mask's px that are true), ``recall`` (share of the true px that are in the mask) and
        ``boundary_f``, all in [0, 1]. An empty mask scores 0 everywhere.
    """
    area, true_area = rle_area(rle), rle_area(truth)
    intersection = rle_intersection(rle, truth)
    union = true_area + area - intersection
    return {
        "iou": intersection / union,
        "intersection": intersection,
        "union": union,
        "true_area": true_area,
        "precision": intersection / area if area else 0.0,
        "recall": intersection / true_area,
        "boundary_f": round(boundary_f(rle, truth), 6) if area else 0.0,
    }


def tolerance(truth: Rle) -> float:
    """How far, in px, an outline may be off that of this true mask.

    Args:
        truth: has at least one pixel.
    """
    x0, y0, x1, y1 = rle_to_hbb(truth)
    return max(LEAST_TOLERANCE, TOLERANCE * math.hypot(x1 - x0, y1 - y0))


def boundary_f(rle: Rle, truth: Rle) -> float:
    """F-score [0, 1] of two outlines; both masks have pixels and one size.

    An outline is the mask's pixels with a 4-neighbour outside it; the image's edge is outside, as
    in Boundary IoU.

    Args:
        truth: the true mask.
    """
    boxes = np.stack([rle_to_hbb(rle), rle_to_hbb(truth)]).astype(int)
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    window = int(x0), int(y0), int(x1 - x0), int(y1 - y0)
    ours, theirs = (_outline(rle_to_crop(mask, *window)) for mask in (rle, truth))
    within = tolerance(truth) + _ROUNDING
    precision = float((_distance(theirs)[ours] <= within).mean())
    recall = float((_distance(ours)[theirs] <= within).mean())
    both = precision + recall
    return 2 * precision * recall / both if both else 0.0


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels (H, W) of a mask that have a 4-neighbour outside it or outside the crop."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(mask & (cv2.erode(padded, _CROSS)[1:-1, 1:-1] == 0))


def _distance(outline: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W) px from each pixel to the nearest one of the outline, centre to centre."""
    away = np.where(outline, 0, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
