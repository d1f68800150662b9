"""Polygons to pixels. Points are continuous pixels, x right, y down; (0, 0) is a corner."""

import cv2
import numpy as np

from samrs.scenes.sprite import Array, Colour

# Fractional bits of cv2's fixed-point coordinates.
_SHIFT = 4
# Parts of a pixel in `label_raster`.
_FINE = 256


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
    """(h, w) uint8 union of polygons: the pixels whose middle lies in one, in whole numbers.

    cv2 takes a border of half a pixel more, and how pycocotools rounds depends on the CPU.
    """
    edges = np.concatenate([_edges(points) for points in polygons])
    (ax, ay), (bx, by) = edges[:, 0].T, edges[:, 1].T
    first = np.clip((np.minimum(ay, by) + _FINE // 2 - 1) // _FINE, 0, h)
    count = np.clip((np.maximum(ay, by) + _FINE // 2 - 1) // _FINE, 0, h) - first
    edge = np.repeat(np.arange(len(edges)), count)
    row = np.arange(len(edge)) + np.repeat(first - np.cumsum(count) + count, count)
    dx, dy = (bx - ax)[edge], (by - ay)[edge]
    down = np.sign(dy)
    # The column whose middle is the first at or beyond the edge, by a division rounded up.
    middle = row * _FINE + _FINE // 2
    above = (ax[edge] - _FINE // 2) * dy + (middle - ay[edge]) * dx
    column = np.clip(-(-above * down // (_FINE * dy * down)), 0, w)
    turns = np.zeros((h, w + 1), np.int16)
    np.add.at(turns, (row, column), down.astype(np.int16))
    return np.asarray(turns[:, :w].cumsum(1, np.int16) != 0, np.uint8)


def _edges(points: Array) -> Array:
    """(N, 2, 2) ends of a polygon's edges, clockwise on screen, in parts of a pixel."""
    ends = np.rint(points * _FINE).astype(np.int64)
    after = np.roll(ends, -1, 0)
    clockwise = (ends[:, 0] * after[:, 1] - after[:, 0] * ends[:, 1]).sum() >= 0
    return np.stack([ends, after] if clockwise else [after, ends], 1)
