"""Outlines of masks along the edges of their pixels, straight from the run lengths.

An outline's corners are where the sides of pixels turn, whole numbers in tile px: rasterised by
pycocotools they give the mask back, pixel for pixel. Corners through the pixels' centres, as OpenCV
traces them, would lose half a pixel on every side.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from operator import itemgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.geometry import Array, clockwise
from samrs.core.rle import Rle, crop_to_rle, rle_area, rle_to_crop, rle_to_hbb, run_lengths

Ring = list[tuple[float, float]]
Ints = NDArray[np.int64]


class _Runs:
    """Where a mask's columns turn from background to mask (tops) and back (bottoms).

    Places are numbers x * (height + 1) + y, so that a column's lower edge is a place of its own.
    """

    def __init__(self, rle: Rle) -> None:
        self.height, self.width = rle["size"]
        self.stride = self.height + 1
        self.bounds = np.cumsum(run_lengths(rle))
        starts, ends = self.bounds[:-1:2], self.bounds[1::2]
        solid = starts < ends
        starts, last = starts[solid], ends[solid] - 1
        first_column, last_column = starts // self.height, last // self.height
        self.tops = first_column * self.stride + starts % self.height
        self.bottoms = last_column * self.stride + last % self.height + 1
        for i in np.flatnonzero(first_column != last_column):  # over the end of a column
            whole = np.arange(first_column[i], last_column[i])
            self.bottoms = np.concatenate([self.bottoms, whole * self.stride + self.height])
            self.tops = np.concatenate([self.tops, (whole + 1) * self.stride])

    def corners(self) -> Ints:
        """Sorted places where exactly one or three of the four pixels around are mask."""
        toggles = np.concatenate([self.tops, self.bottoms])
        return np.asarray(np.setxor1d(toggles, toggles + self.stride, assume_unique=True))

    def crossings(self) -> tuple[Ints, Ints]:
        """Places where two pixels touch at a corner only: \\ ones, / ones."""
        falling = np.intersect1d(self.tops, self.bottoms + self.stride, assume_unique=True)
        rising = np.intersect1d(self.bottoms, self.tops + self.stride, assume_unique=True)
        return falling, rising

    def is_mask(self, x: Ints, y: Ints) -> NDArray[np.bool_]:
        """Whether pixels (column x, row y) are mask; those beyond the right and lower edge not."""
        odd = np.searchsorted(self.bounds, x * self.height + y, side="right") % 2 == 1
        return np.asarray(odd & (x < self.width) & (y < self.height))


def rle_corners(rle: Rle) -> Ints:
    """Corners (K, 2) xy of a mask's outline in px, sorted by x, then y."""
    runs = _Runs(rle)
    return np.stack(np.divmod(runs.corners(), runs.stride), axis=1)


def rle_rings(rle: Rle, inset: float = 0.0) -> list[Ring]:
    """Closed outlines of a mask (outer ones and those of holes), corners xy in px.

    Filled by the even-odd rule they are the mask. The first corner is not repeated. Pixels that
    touch at a corner are of one ring.

    Args:
        inset: how far the outline is moved into the mask, px, under a half. A little of it and the
            outline cut down to whole numbers runs through the mask's own outermost pixels.
    """
    runs = _Runs(rle)
    falling, rising = runs.crossings()
    # A crossing is two corners: the end of the side above it and the start of the side below it.
    places = np.sort(np.concatenate([runs.corners(), falling, falling, rising, rising]))
    if not len(places):
        return []
    x, y = np.divmod(places, runs.stride)
    numbers = np.arange(len(places))
    turned = np.where(np.isin(places, falling), -numbers, numbers)
    level = np.lexsort((turned, x, y))  # level sides join corners 2i and 2i + 1 of this order
    points = np.stack([x, y], axis=1).astype(np.float64)
    if inset:
        right = runs.is_mask(x[::2], y[::2])  # upright sides join corners 2i and 2i + 1
        points[:, 0] += np.repeat(np.where(right, inset, -inset), 2)
        below = runs.is_mask(x[level[::2]], y[level[::2]])
        points[level, 1] += np.repeat(np.where(below, inset, -inset), 2)
    return _walked(points, level)


def _walked(points: Array, level: Ints) -> list[Ring]:
    """Corners in the order of walking along upright and level sides in turn."""
    beside = np.empty(len(points), dtype=np.int64)
    beside[level[::2]], beside[level[1::2]] = level[1::2], level[::2]
    corners: Ring = list(zip(*points.T.tolist(), strict=True))
    across = beside.tolist()
    seen = [False] * len(corners)
    rings: list[Ring] = []
    for start in range(0, len(corners), 2):
        ring: Ring = []
        at = start
        while not seen[at]:
            other = at ^ 1
            seen[at] = seen[other] = True
            ring += (corners[at], corners[other])
            at = across[other]
        if ring:
            rings.append(ring)
    return rings


def rings_by_part(rle: Rle, inset: float = 0.0) -> list[tuple[int, list[Ring]]]:
    """Area in px and outlines of each 8-connected part of a mask, the largest part first.

    Args:
        inset: px that an outline lies inside the edges of the pixels.
    """
    rings = rle_rings(rle, inset)
    if len(rings) < 2:
        return [(int(rle_area(rle)), rings)] if rings else []
    x0, y0, x1, y1 = (int(v) for v in rle_to_hbb(rle))
    # a column of background on either side, to look beside every corner
    crop = np.pad(rle_to_crop(rle, x0, y0, x1 - x0, y1 - y0), ((0, 0), (1, 1)))
    # Wu's way numbers parts by their first pixels; the default's order is that of blocks
    num_labels, parts = cv2.connectedComponentsWithAlgorithm(
        crop.view(np.uint8), 8, cv2.CV_32S, cv2.CCL_WU
    )
    areas = np.bincount(parts.ravel(), minlength=num_labels)
    found: dict[int, list[Ring]] = {part: [] for part in range(1, num_labels)}
    for ring in rings:
        x, y = round(ring[0][0]) - x0, round(ring[0][1]) - y0  # the upper end of its leftmost side
        found[int(parts[y, x + 1] or parts[y, x])].append(ring)  # a hole's mask is to its left
    order = sorted(found, key=lambda part: (-areas[part], part))
    return [(int(areas[part]), found[part]) for part in order]


def simple_rings(rle: Rle) -> list[Ring]:
    """Outlines of pieces that make up a mask, without holes, none of them touching itself.

    A part (its px joined by their sides) is a piece; one with holes, or whose outline would touch
    itself at a corner, is cut from top to bottom, as seldom as will do.
    """
    runs, rings = _Runs(rle), rle_rings(rle)
    firsts = np.array([ring[0] for ring in rings], dtype=np.int64).reshape(-1, 2)
    if runs.is_mask(*firsts.T).all() and not any(map(len, runs.crossings())):
        return rings  # to the right of the leftmost side of a hole there is no mask
    x0, y0, x1, y1 = (int(v) for v in rle_to_hbb(rle))
    _, parts, boxes, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        rle_to_crop(rle, x0, y0, x1 - x0, y1 - y0).view(np.uint8), 4, cv2.CV_32S, cv2.CCL_WU
    )
    pieces: list[Ring] = []
    for part, (left, top, width, height, _) in enumerate(boxes[1:].tolist(), start=1):
        mask = parts[top : top + height, left : left + width] == part
        for begin, end in pairwise([0, *_cuts(mask), width]):
            strip = crop_to_rle(mask[:, begin:end], x0 + left + begin, y0 + top, rle["size"])
            pieces += rle_rings(strip)
    return pieces


def _cuts(part: NDArray[np.bool_]) -> list[int]:
    """Columns before which to cut a part (H, W), so that no piece has a hole or touches itself.

    A cut opens each hole from whose first column to behind its last one it lies.
    """
    around = np.pad(~part, 1).view(np.uint8)
    around[[0, -1]] = around[:, [0, -1]] = 1
    _, _, holes, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        around, 4, cv2.CV_32S, cv2.CCL_WU
    )
    spans = [(left - 1, left - 1 + width) for left, _, width, _, _ in holes[2:].tolist()]
    a, b, c, d = part[:-1, :-1], part[:-1, 1:], part[1:, :-1], part[1:, 1:]
    touching = np.flatnonzero(((a & d & ~b & ~c) | (b & c & ~a & ~d)).any(axis=0)) + 1
    spans += [(x, x) for x in touching.tolist()]
    cuts: list[int] = []
    for first, last in sorted(spans, key=itemgetter(1, 0)):
        if not cuts or cuts[-1] < first:
            cuts.append(last)
    return cuts


def join_rings(rings: list[Ring]) -> Ring:
    """One closed outline that fills, by the even-odd rule, what several fill.

    Each ring is joined to those before it by a bridge between their nearest corners, walked there
    and back: two lines on one another enclose nothing.

    Args:
        rings: outlines of one mask, parts and holes, at least one.
    """
    joined: Ring = []
    for ring in rings:
        joined = bridged(joined, ring)[0] if joined else ring
    return joined


def bridged(first: Ring, second: Ring) -> tuple[Ring, float]:
    """Two closed outlines as one, and the number of px that the bridge between them crosses.

    Args:
        first: an outline.
        second: another, which does not cross it.
    """
    ours, theirs = np.array(first), np.array(second)
    across, down = (np.subtract.outer(ours[:, axis], theirs[:, axis]) for axis in (0, 1))
    i, k = divmod(int((across**2 + down**2).argmin()), len(theirs))
    joined = np.concatenate([ours[: i + 1], theirs[k:], theirs[: k + 1], ours[i:]])
    return list(zip(*joined.T.tolist(), strict=True)), float(np.abs(ours[i] - theirs[k]).max())


def rle_to_obb(rle: Rle) -> Array:
    """Rotated rectangle of least area around a mask, corners (4, 2) xy in px, clockwise on screen.

    It covers every pixel whole and may reach beyond the tile.
    """
    corners = rle_corners(rle).astype(np.float32)
    return clockwise(cv2.boxPoints(cv2.minAreaRect(corners)))


def path_of(polygons: Iterable[NDArray[np.float64]]) -> str:
    """Closed polygons (K, 2) xy as the data of an SVG path, to a tenth of a px."""
    parts = []
    for polygon in polygons:
        corners = " ".join(f"{x:.1f} {y:.1f}" for x, y in polygon)
        parts.append(f"M{corners}Z")
    return "".join(parts).replace(".0 ", " ").replace(".0Z", "Z")
