"""Outlines of masks along the edges of their pixels, straight from the run lengths.

An outline's corners are where the sides of pixels turn, whole numbers in tile px: rasterised by
pycocotools they give the mask back, pixel for pixel. Corners through the pixels' centres, as OpenCV
traces them, would lose half a pixel on every side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.geometry import Array, clockwise
from samrs.core.rle import Rle, run_lengths

Ring = list[tuple[int, int]]


def rle_corners(rle: Rle) -> NDArray[np.int64]:
    """Corners (K, 2) xy of a mask's outline in px, sorted by x, then y; K is even.

    In this order corners 2i and 2i + 1 are the ends of a vertical side. Where two pixels touch at
    a corner only, the sides run on straight through it: it is no corner.
    """
    height = rle["size"][0]
    bounds = np.cumsum(run_lengths(rle))
    starts, ends = bounds[:-1:2], bounds[1::2]
    solid = starts < ends
    starts, last = starts[solid], ends[solid] - 1
    first_column, last_column = starts // height, last // height
    tops, bottoms = starts % height, last % height + 1
    stride = height + 1
    toggles = np.concatenate([first_column * stride + tops, last_column * stride + bottoms])
    for i in np.flatnonzero(first_column != last_column):  # a run over the end of a column
        whole = np.arange(first_column[i], last_column[i])
        more = np.concatenate([whole * stride + height, (whole + 1) * stride])
        toggles = np.concatenate([toggles, more])
    keys = np.setxor1d(toggles, toggles + stride, assume_unique=True)
    return np.stack(np.divmod(keys, stride), axis=1)


def rle_rings(rle: Rle) -> list[Ring]:
    """Closed outlines of a mask (outer ones and those of holes), corners xy in px.

    Filled by the even-odd rule they are the mask. The first corner is not repeated.
    """
    corners = rle_corners(rle)
    order = np.lexsort((corners[:, 0], corners[:, 1]))
    beside = np.empty(len(corners), dtype=np.int64)
    beside[order[::2]], beside[order[1::2]] = order[1::2], order[::2]
    points: Ring = list(zip(*corners.T.tolist(), strict=True)) if len(corners) else []
    across = beside.tolist()
    seen = [False] * len(points)
    rings: list[Ring] = []
    for start in range(0, len(points), 2):
        if seen[start]:
            continue
        ring: Ring = []
        at = start
        while not seen[at]:
            other = at ^ 1
            seen[at] = seen[other] = True
            ring += (points[at], points[other])
            at = across[other]
        rings.append(ring)
    return rings


def join_rings(rings: list[Ring]) -> Ring:
    """One closed outline that fills, by the even-odd rule, what several fill.

    Each ring is joined from its leftmost corner to the nearest one of the rings before it by a
    bridge, walked there and back: two lines on one another enclose nothing.
    """
    if len(rings) < 2:
        return rings[0] if rings else []
    joined = np.array(rings[0], dtype=np.int64)
    for ring in rings[1:]:
        i = int(((joined - ring[0]) ** 2).sum(axis=1).argmin())
        joined = np.concatenate([joined[: i + 1], ring, ring[:1], joined[i:]])
    return list(zip(*joined.T.tolist(), strict=True))


def rle_to_obb(rle: Rle) -> Array:
    """Rotated rectangle of least area around a mask, corners (4, 2) xy in px, clockwise on screen.

    It covers every pixel whole and may reach beyond the tile.
    """
    corners = rle_corners(rle).astype(np.float32)
    return clockwise(cv2.boxPoints(cv2.minAreaRect(corners)))
