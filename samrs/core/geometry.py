"""Boxes and polygons.

Continuous pixels, origin at the top-left corner of the top-left pixel, x right, y down. Boxes
("hbb") are half-open xyxy; a rotated box ("obb") is its four corners, (4, 2) xy, clockwise on
screen. A pixel (column c, row r) covers [c, c + 1) x [r, r + 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def polygon_to_hbb(polygon: ArrayLike) -> Array:
    """Upright hull (4,) xyxy of a polygon (K, 2) xy."""
    points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def hbb_to_polygon(hbb: ArrayLike) -> Array:
    """Corners (4, 2) xy of a box (4,) xyxy, clockwise on screen from the top-left one."""
    x0, y0, x1, y1 = np.asarray(hbb, dtype=np.float64)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def rotated_box_to_polygon(cx: float, cy: float, w: float, h: float, angle: float) -> Array:
    """Corners (4, 2) xy of a box of size w x h about (cx, cy), turned by ``angle`` radians.

    A positive angle turns the x axis towards the y axis: clockwise on screen (mmrotate's le90).
    """
    c, s = np.cos(angle), np.sin(angle)
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
    return np.asarray(corners @ np.array([[c, s], [-s, c]]) + [cx, cy])


def hbb_area(hbb: ArrayLike) -> float:
    """Area in px² of a box (4,) xyxy; 0 where it is empty or inverted."""
    x0, y0, x1, y1 = np.asarray(hbb, dtype=np.float64)
    return float(max(x1 - x0, 0.0) * max(y1 - y0, 0.0))


def polygon_areas(polygons: ArrayLike) -> Array:
    """Areas (N,) in px² of simple polygons (N, K, 2) xy (shoelace formula), never negative."""
    points = np.asarray(polygons, dtype=np.float64)
    x, y = np.moveaxis(points - points[:, :1], 2, 0)
    x_next, y_next = (np.concatenate([v[:, 1:], v[:, :1]], axis=1) for v in (x, y))
    twice = (x * y_next).sum(axis=1) - (y * x_next).sum(axis=1)
    return np.asarray(np.abs(twice) / 2)


def clip_hbb(hbb: ArrayLike, size_wh: Sequence[float]) -> Array:
    """A box (4,) xyxy cut to [0, width] x [0, height]."""
    x0, y0, x1, y1 = np.asarray(hbb, dtype=np.float64)
    w, h = size_wh
    return np.array(
        [min(max(x0, 0), w), min(max(y0, 0), h), min(max(x1, 0), w), min(max(y1, 0), h)]
    )


def hbb_iou(a: ArrayLike, b: ArrayLike) -> Array:
    """IoU (N, M) of boxes (N, 4) with boxes (M, 4), xyxy.

    Args:
        a: N boxes.
        b: M boxes.
    """
    p, q = (np.asarray(v, dtype=np.float64).reshape(-1, 4) for v in (a, b))
    wide = np.minimum.outer(p[:, 2], q[:, 2]) - np.maximum.outer(p[:, 0], q[:, 0])
    high = np.minimum.outer(p[:, 3], q[:, 3]) - np.maximum.outer(p[:, 1], q[:, 1])
    inter = np.maximum(wide, 0) * np.maximum(high, 0)
    area_p, area_q = (
        np.maximum(v[:, 2] - v[:, 0], 0) * np.maximum(v[:, 3] - v[:, 1], 0) for v in (p, q)
    )
    union = area_p[:, None] + area_q[None, :] - inter
    return np.asarray(np.divide(inter, union, out=np.zeros_like(inter), where=union > 0))


def clockwise(polygon: ArrayLike) -> Array:
    """The corners (K, 2) xy in clockwise order on screen, beginning with the same one."""
    points = np.asarray(polygon, dtype=np.float64)
    if points.ndim != 2:  # no view of an array that is as large again
        points = points.reshape(-1, 2)
    (x0, y0), *others = points.tolist()
    twice_area = x = y = 0.0
    for right, down in others:  # few corners: plain numbers
        u, v = right - x0, down - y0
        twice_area += x * v - y * u
        x, y = u, v
    return np.concatenate([points[:1], points[:0:-1]]) if twice_area < 0 else points
