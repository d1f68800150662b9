"""Masks out of outlines with holes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samrs.core.geometry import Array
from samrs.core.rle import Rle, crop_to_rle, polygons_to_rle, rle_area, rle_to_mask
from samrs.reading.segmentation import LARGEST_SIDE


def rings_to_rle(parts: Sequence[Sequence[Array]], size_wh: tuple[int, int]) -> Rle | None:
    """The px inside the outer ring of a part and in none of its holes, of any part.

    Args:
        parts: each an outer ring (N, 2) xy px and the rings of its holes.
        size_wh: width and height of the image, px.

    Returns:
        None where no px is inside.

    Raises:
        ValueError: a point lies far outside any image.
    """
    points = np.concatenate([part[0] for part in parts])
    if not (np.abs(points) <= LARGEST_SIDE).all():
        raise ValueError("a point far outside any image")
    if all(len(part) == 1 for part in parts):
        mask = polygons_to_rle([part[0] for part in parts], size_wh[::-1])
        return mask if rle_area(mask) else None
    x0, y0 = (int(v) for v in np.clip(np.floor(points.min(axis=0)), 0, size_wh))
    x1, y1 = (int(v) for v in np.clip(np.ceil(points.max(axis=0)), 0, size_wh))
    if x1 <= x0 or y1 <= y0:
        return None
    whole = np.zeros((y1 - y0, x1 - x0), dtype=bool)
    for outer, *holes in parts:
        inside = _painted(outer, x0, y0, whole.shape)
        for hole in holes:
            inside &= ~_painted(hole, x0, y0, whole.shape)
        whole |= inside
    mask = crop_to_rle(whole, x0, y0, size_wh[::-1])
    return mask if rle_area(mask) else None


def _painted(ring: Array, x0: int, y0: int, size_hw: tuple[int, ...]) -> NDArray[np.bool_]:
    return rle_to_mask(polygons_to_rle([ring - (x0, y0)], size_hw))
