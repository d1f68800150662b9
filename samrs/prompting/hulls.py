"""Upright hulls and outlines of a tile's boxes, for the recipes that need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samrs.core.geometry import clip_hbb, hbb_area, hbb_to_polygon, polygon_to_hbb
from samrs.prompting.types import Boxes, Floats


def obb_hulls(boxes: Boxes) -> tuple[Floats, NDArray[np.bool_]]:
    """Hulls (N, 4) xyxy of the rotated boxes, cut to the tile, and (N,) where that was impossible.

    Where there is no rotated box, or its hull misses the tile, the upright box stands in.
    """
    hulls, fallback = boxes.hbb.copy(), np.ones(len(boxes), dtype=bool)
    height, width = boxes.size_hw
    for i in np.flatnonzero(boxes.has_obb):
        hull = clip_hbb(polygon_to_hbb(boxes.obb[i]), (width, height))
        if hbb_area(hull) > 0:
            hulls[i], fallback[i] = hull, False
    return hulls, fallback


def hbb_outlines(hbbs: ArrayLike) -> Floats:
    """Corners (N, 4, 2) xy of boxes (N, 4) xyxy, clockwise on screen."""
    return np.array([hbb_to_polygon(hbb) for hbb in np.asarray(hbbs)]).reshape(-1, 4, 2)
