"""Polygons to pixels. Points are continuous pixels, x right, y down; (0, 0) is a corner."""

import cv2
import numpy as np
from pycocotools import mask as mask_api

from samrs.scenes.sprite import Array, Colour

# Fractional bits of cv2's fixed-point coordinates.
_SHIFT = 4


def _fixed(points: Array) -> Array:
    """Continuous pixels to cv2's fixed point, whose integers are pixel centres."""
    return np.asarray(np.rint(points * (1 << _SHIFT) - (1 << (_SHIFT - 1))).astype(np.int32))


def _scalar(value: Colour | float) -> list[float]:
    values = np.atleast_1d(np.asarray(value, float)).tolist()
    return [min(max(v, 0.0), 255.0) for v in values]


def fill(canvas: Array, points: Array, value: Colour | float, smooth: bool = False) -> None:
    """Paints a polygon of continuous pixels, shape (N, 2), into a uint8 canvas.

    Args:
        smooth: whether its border is anti-aliased.
    """
    kind = cv2.LINE_AA if smooth else cv2.LINE_8
    colour = _scalar(value)
    cv2.fillPoly(canvas, [_fixed(points)], colour, kind, _SHIFT)


def stroke(canvas: Array, points: Array, width: float, value: Colour | float, closed: bool) -> None:
    """Paints a line of `width` pixels, at least 1, into a uint8 canvas.

    Args:
        closed: whether the last point joins the first.
    """
    colour = _scalar(value)
    thickness = max(1, round(width))
    cv2.polylines(canvas, [_fixed(points)], closed, colour, thickness, cv2.LINE_8, _SHIFT)


def sweep(points: Array, offset_from: Array, offset_to: Array) -> list[Array]:
    """Polygons whose union is the outline dragged from one offset to another.

    Args:
        offset_from: (2,) pixels added to the outline at the start.
        offset_to: (2,) pixels added at the end.
    """
    low, high = points + offset_from, points + offset_to
    if np.abs(offset_to - offset_from).max() < 1e-6:
        return [high]
    if cv2.isContourConvex(points.astype(np.float32)):
        hull = cv2.convexHull(np.concatenate([low, high]).astype(np.float32))
        return [hull[:, 0].astype(float)]
    low2, high2 = np.roll(low, -1, 0), np.roll(high, -1, 0)
    quads = np.stack([low, low2, high2, high], 1)
    return [low, high, *quads]


def label_raster(polygons: list[Array], h: int, w: int) -> Array:
    """(h, w) uint8 union of polygons, by pycocotools, which is unbiased where cv2 is not."""
    flat = [p.ravel().tolist() for p in polygons]
    return np.asarray(mask_api.decode(mask_api.merge(mask_api.frPyObjects(flat, h, w))))
