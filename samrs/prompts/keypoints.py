"""Points along the rotated box's long axis, and points that are not the object's in the corners
that the rotated box leaves of its upright hull.

An upright box says little of a long object that lies askew: half of it is background. Points on the
axis say where it lies, points in the corners where not. That points tell orientation is what
Point2RBox learns from (Yu et al., arXiv:2311.14758). Given with a box: hbox+keypoints.
"""

from __future__ import annotations

import numpy as np

from samrs.core.geometry import hbb_to_polygon, polygon_to_hbb
from samrs.prompting.types import NO_POINT, POINT_INSIDE, POINT_OUTSIDE, Boxes, Floats, Prompt

NEEDS_OBB = True
NEEDS_BOX = True

ALONG = (-0.5, 0.0, 0.5)
"""Places on the axis, in half lengths from the middle."""
INWARD = 0.1
"""How far from the hull's corners the outer points lie, in its width and height."""
CLEAR = 0.1
"""A corner's point counts where it is at least so far from the rotated box, in hull sizes."""


def build(boxes: Boxes) -> Prompt:
    """Three points inside and up to four outside; the centre of ``hbb`` without ``obb``."""
    count = len(ALONG) + 4
    points = np.zeros((len(boxes), count, 2))
    labels = np.full((len(boxes), count), NO_POINT, dtype=np.int64)
    has_obb = boxes.has_obb
    size_wh = np.array(boxes.size_hw[::-1], dtype=np.float64)
    for i in range(len(boxes)):
        if has_obb[i]:
            points[i], labels[i] = _of(boxes.obb[i])
        else:
            points[i, 0] = (boxes.hbb[i, :2] + boxes.hbb[i, 2:]) / 2
            labels[i, 0] = POINT_INSIDE
    beyond = ((points < 0) | (points > size_wh)).any(axis=2)
    labels[beyond] = NO_POINT
    return Prompt(fallback=~has_obb, points_xy=np.clip(points, 0, size_wh), point_labels=labels)


def _of(obb: Floats) -> tuple[Floats, list[int]]:
    middle = obb.mean(axis=0)
    edges = obb[[1, 2]] - obb[[0, 1]]
    lengths = np.hypot(*edges.T)
    axis = edges[np.argmax(lengths)] / 2
    inside = [middle + share * axis for share in ALONG]
    hull = polygon_to_hbb(obb)
    inner = hbb_to_polygon(hull) * (1 - 2 * INWARD) + middle * 2 * INWARD
    ways = edges / np.maximum(lengths, 1e-9)[:, None]
    away = (np.abs((inner - middle) @ ways.T) - lengths / 2).max(axis=1)
    clear = away >= CLEAR * float((hull[2:] - hull[:2]).min())
    outside = [POINT_OUTSIDE if far else NO_POINT for far in clear]
    return np.concatenate([inside, inner]), [POINT_INSIDE] * len(ALONG) + outside
